"""Tell chance from difference: exact McNemar test, Holm's correction, the Pareto front."""

from harness.statistics import Point, disagreements, holm, mcnemar, pareto

__all__ = [
    "Point",
    "disagreements",
    "holm",
    "mcnemar",
    "pareto",
]
