"""Count the numbers a tensor really holds when the graph unpacks its elements: two 4-bit weights in one byte."""

from __future__ import annotations

import math
from collections.abc import Hashable

from harness.graph.operators import operators
from harness.graph.program import references
from harness.graph.shapes import Measured, Pass
from harness.values.graph import INPUT, Argument, Graph, Result, Stored

_UNPACKING = (
    "bitwise_and.", "bitwise_right_shift.", "bitwise_left_shift.", "__and__.", "__rshift__.", "__lshift__.",
    "remainder.", "fmod.", "floor_divide.", "div.Tensor_mode", "div.Scalar_mode", "view.dtype",
)  # fmt: skip
_MOVING = {"Views", "Joining and parting", "Choosing and moving"}
_KEEPING = ("_to_copy.", "round.", "floor.", "trunc.", "ceil.")


def unpacked(graph: Graph, done: Pass) -> dict[str, float]:
    """How many numbers each element of a tensor holds, for the tensors that are taken apart by bits or remainders.

    Followed is what happens to a tensor's elements before they meet an image or become ordinary floating numbers. What
    shifts, masks, remainders and other views of its bytes have made of it by then is counted, equal computations once.
    A tensor that is only converted and scaled (8-bit weights) is not among them.

    Args:
        done: one pass of the graph, for shapes and dtypes.

    Returns:
        Numbers per element, more than 1, by the tensor's name.
    """
    return _Unpacking(graph).numbers(done)


class _Unpacking:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._origins: dict[str, frozenset[str]] = {INPUT: frozenset()}
        self._depends = {INPUT}
        self._parts: dict[str, frozenset[Hashable]] = {}  # by node: the nearest unpacked values it is made of
        self._keys: dict[str, Hashable] = {}
        self._known: dict[Hashable, int] = {}
        self._sizes: dict[Hashable, tuple[int, frozenset[str]]] = {}

    def numbers(self, done: Pass) -> dict[str, float]:
        final: set[Hashable] = set()
        for step in done.steps:
            final |= self._follow(step)
        totals: dict[str, float] = {}
        for size, origins in (self._sizes[each] for each in final):
            held = {name: self._elements(name) for name in origins}
            for name, own in held.items():
                totals[name] = totals.get(name, 0) + size * own / max(1, sum(held.values())) / max(1, own)
        return {name: factor for name, factor in totals.items() if factor > 1}

    def _follow(self, step: Measured) -> frozenset[Hashable]:
        """What of the unpacked values comes to its end here."""
        node, name = step.node, step.node.name
        taken = list(references(node))
        nodes = [each.node for each in taken if isinstance(each, Result)]
        parts = frozenset[Hashable]().union(*(self._parts.get(each, frozenset()) for each in nodes))
        tensors = frozenset(each.tensor for each in taken if isinstance(each, Stored))
        origins = tensors.union(*(self._origins.get(each, frozenset()) for each in nodes))
        if self._depends & set(nodes):
            self._depends.add(name)
            return parts
        if not _still_packed(step):
            return parts
        self._keys[name] = key = self._key(step)
        self._origins[name], self._parts[name] = origins, parts
        if _unpacks(step):
            self._parts[name] = frozenset([key])
            self._origins[name] = origins = self._taken_apart(taken)
            self._sizes[key] = (math.prod(step.shape), origins)
        return frozenset()

    def _taken_apart(self, taken: list[Result | Stored]) -> frozenset[str]:
        """The origins of the largest operand; the others are amounts of shifts, masks and divisors."""
        each_origins = [
            frozenset([each.tensor]) if isinstance(each, Stored) else self._origins.get(each.node, frozenset())
            for each in taken
        ]
        return max(each_origins, key=lambda names: sum(self._elements(name) for name in names), default=frozenset())

    def _elements(self, name: str) -> int:
        return math.prod(self._graph.tensors[name].shape)

    def _key(self, step: Measured) -> Hashable:
        """The same for nodes that compute the same."""
        node = step.node
        arguments = tuple(self._named(each) for each in node.arguments)
        key = (node.operator, arguments, tuple((name, self._named(each)) for name, each in node.keywords.items()))
        return self._known.setdefault(key, len(self._known))

    def _named(self, argument: Argument) -> Hashable:
        if isinstance(argument, tuple):
            return tuple(self._named(each) for each in argument)
        if isinstance(argument, Result):
            return (self._keys.get(argument.node, argument.node), argument.item)
        return (type(argument).__name__, argument)


def _unpacks(step: Measured) -> bool:
    return step.node.operator.removeprefix("aten.").startswith(_UNPACKING)


def _still_packed(step: Measured) -> bool:
    """Whether elements are still what was stored or parts of it, not yet ordinary numbers."""
    name = step.node.operator
    moves = operators()[name].group in _MOVING or name.removeprefix("aten.").startswith(_KEEPING)
    return moves or _unpacks(step) or step.dtype.startswith(("int", "uint", "bool"))
