"""How many numbers a graph holds in the arguments of its operators: weights need no tensor to be handed in.

`x * 0.123` for every weight, a `full` of whole numbers that shifts take apart, a list that names one of sixteen results
for each of a thousand places: all of it computes, and none of it is a tensor. Honest graphs write numbers down as well,
but nearly always the same ones. So what is counted is surprise: a number counts as one where it is one of sixteen or
more equally frequent ones in its place, and as nothing where that place always holds the same.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator
from functools import cache
from itertools import pairwise

import torch

from harness.graph.program import references
from harness.values.graph import INPUT, Argument, Atom, Graph, Result, Stored

_BITS_PER_NUMBER = 4
_SHORT_LIST = 16
"""Shapes, strides and paddings are no longer."""
_WIDE_BITS = 16
"""Whole numbers of more bits have room for several of eight."""
_MOST_ITEMS = 4096


def written_numbers(graph: Graph) -> int:
    """Numbers in arguments, each weighed by how little the others in its place foretell it.

    Looked at are the values that operators compute with; sizes and positions where no image is involved or there are
    many in a list; and which results a list joins, by their distances.
    """
    places: dict[Hashable, list[float | int]] = defaultdict(list)
    for place, number in _written(graph):
        places[place].append(number)
    return math.ceil(sum(_surprise(each) for each in places.values()))


def _surprise(numbers: list[float | int]) -> float:
    found = Counter(numbers)
    return sum(
        count * min(1.0, math.log2(len(numbers) / count) / _BITS_PER_NUMBER) * _width(each)
        for each, count in found.items()
    )


def _width(number: float) -> float:
    bits = number.bit_length() if isinstance(number, int) else 0
    return bits / 8 if bits > _WIDE_BITS else 1


def _written(graph: Graph) -> Iterator[tuple[Hashable, float | int]]:
    depends, known = {INPUT}, _Known(graph)
    for node in graph.nodes:
        shown = any(isinstance(each, Result) and each.node in depends for each in references(node))
        if shown:
            depends.add(node.name)
        values = _value_places(node.operator)
        for place, argument in (*enumerate(node.arguments), *node.keywords.items()):
            where = (node.operator, place)
            many = isinstance(argument, tuple) and len(argument) > _SHORT_LIST
            if place in values or not shown or many:
                yield from _numbers(where, argument)
            if isinstance(argument, tuple):
                yield from ((("joined", node.operator), each) for each in known.distances(argument))
        known.add(node.name)


def _numbers(where: Hashable, argument: Argument) -> Iterator[tuple[Hashable, float | int]]:
    parts = argument if isinstance(argument, tuple) else (argument,)
    for at, each in enumerate(parts):
        if isinstance(each, int | float) and not isinstance(each, bool):
            yield (where, min(at, _SHORT_LIST)), each


class _Known:
    """Results and tensors in the order in which they came up."""

    def __init__(self, graph: Graph) -> None:
        self._tensors = {name: number for number, name in enumerate(graph.tensors)}
        self._results = {INPUT: 0}

    def add(self, result: str) -> None:
        self._results[result] = len(self._results)

    def distances(self, joined: tuple[Atom, ...]) -> Iterator[int]:
        """From each entry of a list to the one before; where layers or all parts of one are joined, they repeat."""
        places = [self._place(each) for each in joined if isinstance(each, Result | Stored)]
        yield from (here - before for before, here in pairwise(places))

    def _place(self, entry: Result | Stored) -> int:
        if isinstance(entry, Stored):
            return -1 - self._tensors[entry.tensor]
        return self._results[entry.node] * _MOST_ITEMS + (entry.item or 0)


@cache
def _value_places(operator: str) -> frozenset[int | str]:
    """Where an operator takes numbers to compute with, by position and by name; the others are sizes and positions."""
    library, packet, overload = (*operator.split("."), "", "")[:3]
    found = getattr(getattr(torch.ops.aten, packet, None), overload, None) if library == "aten" and overload else None
    if found is None:  # arithmetic of sizes
        return frozenset()
    geometry = {"int", "SymInt", "bool"}
    places: set[int | str] = set()
    for number, each in enumerate(found._schema.arguments):  # noqa: SLF001
        kind = str(each.type).replace("Optional[", "").replace("List[", "").rstrip("]")
        if kind not in geometry:
            places |= {number, each.name}
    return frozenset(places)
