"""Count what verified networks have learned, by their graphs."""

from __future__ import annotations

from harness.graph.counting import ARGUMENTS, GraphCounts, counts
from harness.values.graph import Graph

__all__ = [
    "ARGUMENTS",
    "Graph",
    "GraphCounts",
    "counts",
    "normalisation_statistics",
]


def normalisation_statistics(graph: Graph) -> frozenset[str]:
    """The tensors that are running means and variances, and nothing else, of layers that normalise what images gave."""
    from harness.graph import tensors  # torch is slow to import

    return tensors.normalisation_statistics(graph)
