"""Define what plugins implement and are handed: hooks, evaluators, networks, formats, writers.

The core works against these; plugins see them through `harness.api`, which nothing inside imports.
"""
