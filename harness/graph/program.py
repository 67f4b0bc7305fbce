"""Compile a graph into a program: names turned into slots, operators into functions, once.

Values live in one list. A step takes what it needs from there, puts its result in its slot and clears the slots of
which it was the last reader, so that no more is alive than the network itself would keep.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import torch

from harness.graph.operators import Operator, operators
from harness.values.graph import INPUT, Argument, Atom, ElementType, Graph, MemoryFormat, Node, Result, Special, Stored

Slots = list[Any]
Place = tuple[str, int | None]  # a node and, for one of several results, which


@dataclass(frozen=True, slots=True)
class Step:
    """One node.

    Args:
        function: what computes it.
        arguments: by position; None stands where `values` or `lists` put something.
        values: positions filled from slots.
        lists: positions filled by lists, of which some entries come from slots.
        named: the same as `values` for `keywords`.
        slot: where the result goes.
        items: which tensors of a tuple result go to which slots.
        last: slots that nobody reads afterwards.
    """

    node: Node
    operator: Operator
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    values: tuple[tuple[int, int], ...]
    lists: tuple[tuple[int, tuple[tuple[int, int], ...]], ...]
    named: tuple[tuple[str, int], ...]
    slot: int
    items: tuple[tuple[int, int], ...]
    last: tuple[int, ...]

    def taken(self, slots: Slots) -> tuple[list[Any], dict[str, Any]]:
        """The arguments as the operator gets them."""
        arguments = list(self.arguments)
        for position, slot in self.values:
            arguments[position] = slots[slot]
        for position, entries in self.lists:
            arguments[position] = filled = list(arguments[position])
            for index, slot in entries:
                filled[index] = slots[slot]
        if not self.named:
            return arguments, self.keywords
        return arguments, self.keywords | {name: slots[slot] for name, slot in self.named}

    def keep(self, result: Any, slots: Slots) -> None:
        """Put what was computed into its slots."""
        if self.items:
            for item, slot in self.items:
                slots[slot] = result[item]
        else:
            slots[self.slot] = result

    @property
    def written(self) -> list[int]:
        """The slots that `keep` fills."""
        return [slot for _, slot in self.items] or [self.slot]


@dataclass(frozen=True, slots=True)
class Program:
    """All steps of a graph, and where its tensors go. Slot 0 is the batch."""

    steps: tuple[Step, ...]
    tensors: tuple[tuple[str, int], ...]
    output: int
    size: int

    def filled(self, weights: Mapping[str, torch.Tensor], batch: torch.Tensor) -> Slots:
        """Slots before the first step."""
        slots: Slots = [None] * self.size
        slots[0] = batch
        for name, slot in self.tensors:
            slots[slot] = weights[name]
        return slots


class Compiler:
    """Turns an accepted graph into a program for one device.

    Args:
        device: where tensors that the graph makes itself belong.
    """

    def __init__(self, graph: Graph, device: torch.device) -> None:
        self._graph, self._device = graph, device
        self._slots: dict[Place, int] = {(INPUT, None): 0}
        self._stored: dict[str, int] = {}
        self._items: dict[str, dict[int, int]] = {}
        self._fresh = {each.name for each in graph.nodes if operators()[each.operator].fresh}
        reads = (each.node for node in graph.nodes for each in references(node) if isinstance(each, Result))
        self._readers = Counter(reads)

    def program(self) -> Program:
        """The steps, in the graph's order."""
        nodes, output = self._graph.nodes, self._graph.output
        readers = [list(references(node)) for node in nodes]
        for reference in (each for reading in readers for each in reading):
            self._slot(reference)
        last: dict[int, int] = {self._slot(each): step for step, reading in enumerate(readers) for each in reading}
        result = self._slot(output)
        ending: list[list[int]] = [[] for _ in nodes]
        for number, node in enumerate(nodes):
            for item in self._items.get(node.name) or (None,):
                last.setdefault(self._slots.setdefault((node.name, item), self._size), number)  # nobody reads it
        for slot, step in last.items():
            if slot != result:
                ending[step].append(slot)
        steps = tuple(self._step(node, tuple(ending[number])) for number, node in enumerate(nodes))
        return Program(steps, tuple(self._stored.items()), result, self._size)

    @property
    def _size(self) -> int:
        return len(self._slots) + len(self._stored)

    def _slot(self, reference: Result | Stored) -> int:
        if isinstance(reference, Stored):
            return self._stored.setdefault(reference.tensor, self._size)
        slot = self._slots.setdefault((reference.node, reference.item), self._size)
        if reference.item is not None:
            self._items.setdefault(reference.node, {})[reference.item] = slot
        return slot

    def _step(self, node: Node, last: tuple[int, ...]) -> Step:
        operator = operators()[node.operator]
        lists = [(place, each) for place, each in enumerate(node.arguments) if isinstance(each, tuple)]
        keywords = {name: self._constant(each) for name, each in node.keywords.items()}
        if operator.creates:
            keywords["device"] = self._device
        return Step(
            node=node,
            operator=operator,
            function=operator.in_place() if self._may_overwrite(node, operator) else operator.function(),
            arguments=tuple(self._constant(each) for each in node.arguments),
            keywords=keywords,
            values=self._filled(node.arguments),
            lists=tuple((place, filled) for place, each in lists if (filled := self._filled(each))),
            named=tuple((name, self._slot(each)) for name, each in node.keywords.items() if _refers(each)),
            slot=self._slots.get((node.name, None), 0),
            items=tuple(self._items.get(node.name, {}).items()),
            last=last,
        )

    def _may_overwrite(self, node: Node, operator: Operator) -> bool:
        """Whether its first argument is memory that nothing else refers to."""
        first = node.arguments[0] if node.arguments else None
        if not (operator.overwrites and isinstance(first, Result) and first.node != self._graph.output.node):
            return False
        return first.node in self._fresh and self._readers[first.node] == 1

    def _filled(self, arguments: Iterable[Argument]) -> tuple[tuple[int, int], ...]:
        return tuple((place, self._slot(each)) for place, each in enumerate(arguments) if _refers(each))

    @classmethod
    def _constant(cls, argument: Argument) -> Any:
        match argument:
            case tuple():
                return [cls._constant(each) for each in argument]
            case ElementType():
                return getattr(torch, argument.dtype)
            case MemoryFormat():
                return getattr(torch, argument.memory_format)
            case Special():
                return float(argument.number)
            case Result() | Stored():
                return None
            case _:
                return argument


def references(node: Node) -> Iterable[Result | Stored]:
    """Everything a node reads."""
    for argument in (*node.arguments, *node.keywords.values()):
        parts: tuple[Atom, ...] = argument if isinstance(argument, tuple) else (argument,)
        yield from (each for each in parts if isinstance(each, Result | Stored))


def _refers(argument: Argument) -> TypeGuard[Result | Stored]:
    return isinstance(argument, Result | Stored)
