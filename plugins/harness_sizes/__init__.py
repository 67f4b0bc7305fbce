"""Measure sizes: parameters, stored bytes, canonical bytes, and their limits."""
