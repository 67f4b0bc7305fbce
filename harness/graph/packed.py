"""Count the numbers a tensor really holds when the graph takes its elements apart: two 4-bit weights in one byte.

Bits are taken apart by shifts, masks and other views of bytes, but also by plain arithmetic: `floor(w / 256)` is one
half of a float64 and `w - 256 * floor(w / 256)` the other. So what is counted are different values that were made of a
tensor element by element with some rounding on the way, before they meet an image or a product mixes them.
"""

from __future__ import annotations

import math
from collections.abc import Hashable

from harness.graph.operators import operators
from harness.graph.program import references
from harness.graph.shapes import Measured, Pass
from harness.values.graph import INPUT, Argument, Graph, Result, Stored

_ROUNDING = (
    "bitwise_", "__and__.", "__or__.", "__xor__.", "__rshift__.", "__lshift__.", "view.dtype",
    "remainder.", "fmod.", "floor_divide.", "div.Tensor_mode", "div.Scalar_mode",
    "round.", "floor.", "trunc.", "ceil.", "frac.", "sign.", "sgn.", "heaviside.", "fake_quantize_",
)  # fmt: skip
_MOVING = {"Views", "Joining and parting", "Choosing and moving"}
_BY_ELEMENT = {"Arithmetic", "Rounding and types", "Comparison", "Activations"}
_NOT_BY_ELEMENT = ("softmax.", "_softmax.", "log_softmax.", "_log_softmax.", "glu.")
_BITS = {"float64": 52, "float32": 23, "float16": 10, "bfloat16": 7}
"""Of the fraction; what has none here is whole numbers."""


def unpacked(graph: Graph, done: Pass) -> dict[str, float]:
    """How many numbers each element of a tensor holds, for the tensors that are taken apart.

    Equal computations count once, and so does what is put together again. A tensor that is only converted, scaled and
    rounded (8-bit weights, weights that are quantised on the way) is not among them.

    Args:
        done: one pass of the graph, for shapes and dtypes.

    Returns:
        Numbers per element, more than 1, by the tensor's name.
    """
    return _Unpacking(graph).numbers(done)


def takes_apart(graph: Graph) -> bool:
    """Whether anything may be unpacked: some rounding where no image is involved."""
    depends = {INPUT}
    for node in graph.nodes:
        if any(isinstance(each, Result) and each.node in depends for each in references(node)):
            depends.add(node.name)
        elif node.operator.startswith("aten._to_copy.") or _is_rounding(node.operator):
            return True
    return False


class _Unpacking:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._origins: dict[str, frozenset[str]] = {INPUT: frozenset()}
        self._depends = {INPUT}
        self._parts: dict[str, frozenset[Hashable]] = {}  # by node: the values with rounding in them it is made of
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
        """What of the values with rounding in them comes to its end here."""
        node, name = step.node, step.node.name
        taken = list(references(node))
        nodes = [each.node for each in taken if isinstance(each, Result)]
        parts = frozenset[Hashable]().union(*(self._parts.get(each, frozenset()) for each in nodes))
        if self._depends & set(nodes):
            self._depends.add(name)
            return parts
        if not _by_element(step):
            return parts
        self._keys[name] = key = self._key(step)
        moves = operators()[node.operator].group in _MOVING
        origins = self._all_origins(taken) if moves else self._largest(taken)
        self._origins[name], self._parts[name] = origins, parts
        if _rounds(step) or (not moves and self._is_new(taken, origins)):
            self._parts[name] = frozenset([key])
            self._sizes[key] = (math.prod(step.shape), origins)
        return frozenset()

    def _is_new(self, taken: list[Result | Stored], origins: frozenset[str]) -> bool:
        """Whether operands made differently of the same tensor meet, one of them with rounding in it."""
        operands = {
            (self._parts_of(each), each if isinstance(each, Stored) else None)
            for each in taken
            if self._origins_of(each) & origins
        }
        return len(operands) > 1 and any(parts for parts, _ in operands)

    def _parts_of(self, operand: Result | Stored) -> frozenset[Hashable]:
        return frozenset() if isinstance(operand, Stored) else self._parts.get(operand.node, frozenset())

    def _origins_of(self, operand: Result | Stored) -> frozenset[str]:
        if isinstance(operand, Stored):
            return frozenset([operand.tensor])
        return self._origins.get(operand.node, frozenset())

    def _all_origins(self, taken: list[Result | Stored]) -> frozenset[str]:
        return frozenset[str]().union(*map(self._origins_of, taken))

    def _largest(self, taken: list[Result | Stored]) -> frozenset[str]:
        """The origins of the largest operand; the others are scales, amounts of shifts, masks and divisors."""
        every = map(self._origins_of, taken)
        return max(every, key=lambda names: sum(self._elements(name) for name in names), default=frozenset())

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


def _by_element(step: Measured) -> bool:
    name = step.node.operator
    group = operators()[name].group
    return group in _MOVING or (group in _BY_ELEMENT and not name.removeprefix("aten.").startswith(_NOT_BY_ELEMENT))


def _rounds(step: Measured) -> bool:
    """Whether digits get lost, or an element becomes several."""
    name = step.node.operator
    if name.startswith("aten._to_copy."):
        before = max((_BITS.get(each.removeprefix("torch."), 0) for each in step.operands), default=0)
        return _BITS.get(step.dtype.removeprefix("torch."), 0) < before
    return _is_rounding(name)


def _is_rounding(operator: str) -> bool:
    return operators()[operator].group == "Comparison" or operator.removeprefix("aten.").startswith(_ROUNDING)
