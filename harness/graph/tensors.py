"""Tell what a graph's tensors are for: weights by their other names, and running statistics of normalisation."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from harness.graph.program import references
from harness.graph.reachable import raw_bytes, reaching
from harness.values.graph import INPUT, Graph, Result, Stored, TensorEntry

_STATISTICS = {
    "aten._native_batch_norm_legit_no_training.default": (3, 4),
    "aten.batch_norm.default": (3, 4),
    "aten.native_batch_norm.default": (3, 4),
    "aten.cudnn_batch_norm.default": (3, 4),
    "aten.instance_norm.default": (3, 4),
}
"""Where normalising operators take a running mean and a running variance."""


def bound(graph: Graph, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights by the names and in the dtypes of the graph's tensors, as far as the graph has them."""
    found = {}
    for name, entry in graph.tensors.items():
        known = among(weights, name, entry)
        if known is not None:
            found[name] = known.to(getattr(torch, entry.dtype))
    return found


def among(weights: Mapping[str, Tensor], name: str, entry: TensorEntry) -> Tensor | None:
    """A graph's tensor among weights, under its name or another of its names; None where it is none of them."""
    return next((weights[each] for each in (name, *entry.aliases) if each in weights), None)


def normalisation_statistics(graph: Graph) -> frozenset[str]:
    """The tensors that are running means and variances, and nothing else, of layers that normalise what images gave.

    A name such as `running_mean` makes no statistic: what is normalised must depend on the images, and no other
    operator may read the tensor.
    """
    depends = {INPUT}
    statistics: set[str] = set()
    otherwise: set[str] = set()
    for node in graph.nodes:
        if any(isinstance(each, Result) and each.node in depends for each in references(node)):
            depends.add(node.name)
        first = node.arguments[0] if node.arguments else None
        normalises = isinstance(first, Result) and first.node in depends
        places = _STATISTICS.get(node.operator, ()) if normalises else ()
        for place, argument in enumerate(node.arguments):
            parts = argument if isinstance(argument, tuple) else (argument,)
            names = {each.tensor for each in parts if isinstance(each, Stored)}
            (statistics if place in places else otherwise).update(names)
        otherwise.update(each.tensor for each in node.keywords.values() if isinstance(each, Stored))
    return frozenset(statistics - otherwise)


def perhaps_constructed(graph: Graph) -> frozenset[str]:
    """The tensors the logits depend on that may come from the source alone: neither parameters nor statistics."""
    reached, statistics = reaching(graph), normalisation_statistics(graph)
    others = (name for name, each in graph.tensors.items() if each.kind != "parameter")
    return frozenset(name for name in others if name in reached and name not in statistics)


def reproduced(names: frozenset[str], tensors: Mapping[str, Tensor], again: Mapping[str, Tensor]) -> frozenset[str]:
    """Those of `names` that a second instance holds with the same dtype, shape and bytes."""
    return frozenset(name for name in names if name in again and _same_bytes(tensors[name], again[name]))


def _same_bytes(one: Tensor, other: Tensor) -> bool:
    return one.dtype == other.dtype and one.shape == other.shape and torch.equal(raw_bytes(one), raw_bytes(other))
