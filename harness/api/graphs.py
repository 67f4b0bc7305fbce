"""Count what verified networks have learned, by their graphs."""

from harness.graph.counting import GraphCounts, counts

__all__ = [
    "GraphCounts",
    "counts",
]
