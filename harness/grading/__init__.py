"""Evaluators run: hand-ins go in, results come out, one by one."""
