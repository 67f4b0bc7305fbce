"""Measure curves: accuracy against size under pruning and quantisation, and as handed in."""
