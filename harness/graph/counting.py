"""Count what a network has learned: the tensors of its graph, each storage once, less what was not learned.

    counted       what reaches the logits, and registered parameters even where they do not
    not counted   running statistics of normalisation, pruning masks, and what a second instance holds without weights

Elements that the graph takes apart count as the numbers they hold. Numbers in the arguments of operators count like
tensors where they are more than any honest network writes down.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.values.networks import TracedNetwork

if TYPE_CHECKING:
    from torch import Tensor

ARGUMENTS = "arguments of operators"
_FEW_NUMBERS = 256
"""Numbers in arguments that are not worth a word; of networks that were measured swin_v2_t has most, 42."""


@dataclass(frozen=True, slots=True)
class GraphCounts:
    """Numbers of a verified network.

    Args:
        registered: elements of its registered parameters.
        stored: elements of all that counts: parameters, and what else reaches the logits and was learned.
        nonzero: those that are not exactly zero, pruning masks multiplied in.
        masked: elements under a live pruning mask.
        hidden: what counts and is no registered parameter, by the tensor's name; `ARGUMENTS` are no tensor.
        constructed: what reaches the logits and was not learned, by the tensor's name.
        statistics: elements of running statistics.
        packed: numbers per element, where it is more than one.
    """

    registered: int
    stored: int
    nonzero: int
    masked: int
    hidden: Mapping[str, int]
    constructed: Mapping[str, int]
    statistics: int
    packed: Mapping[str, float]


def counts(traced: TracedNetwork, weights: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> GraphCounts:
    """Count a verified network.

    Args:
        weights: by the module's own state names, masks multiplied in.
        masks: live pruning masks, by the name of the parameter they belong to.
    """
    # Late, for they import torch, and plugins import this module at once.
    from harness.graph.reachable import reaching
    from harness.graph.tensors import bound, normalisation_statistics
    from harness.graph.written import written_numbers

    graph = traced.graph
    tensors = {**traced.constants, **bound(graph, weights)}
    statistics, reached = normalisation_statistics(graph), reaching(graph)
    apart = statistics | traced.constructed | {f"{name}_mask" for name in masks}
    registered = {name for name, each in graph.tensors.items() if each.kind == "parameter" and name in tensors}
    counted = (registered | (reached & tensors.keys())) - apart
    packed = {name: each for name, each in traced.packed.items() if name in counted}
    one_each = _one_each(traced, {name: tensors[name] for name in counted})

    def elements(names: Iterable[str]) -> int:
        return sum(math.ceil(tensors[name].numel() * packed.get(name, 1)) for name in names)

    written = written_numbers(graph)
    in_arguments = {ARGUMENTS: written} if written > _FEW_NUMBERS else {}
    nonzero = sum(math.ceil(int((tensors[name] != 0).sum()) * packed.get(name, 1)) for name in one_each)
    return GraphCounts(
        registered=elements(one_each & registered),
        stored=elements(one_each) + sum(in_arguments.values()),
        nonzero=nonzero + sum(in_arguments.values()),
        masked=sum(int((mask == 0).sum()) for mask in masks.values()),
        hidden={name: elements([name]) for name in sorted(one_each - registered)} | in_arguments,
        constructed={name: tensors[name].numel() for name in sorted(traced.constructed & reached & tensors.keys())},
        statistics=elements(statistics & tensors.keys()),
        packed=packed,
    )


def _one_each(traced: TracedNetwork, tensors: Mapping[str, Tensor]) -> set[str]:
    """Of tensors that are views of one storage, the first; registered parameters before others."""
    from harness.graph.reachable import originals

    order = sorted(tensors, key=lambda name: traced.graph.tensors[name].kind != "parameter")
    original = originals(traced.graph, tensors)
    first: dict[str, str] = {}
    for name in order:
        first.setdefault(original[name], name)
    return set(first.values())
