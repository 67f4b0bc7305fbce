"""Infer every result's shape, size and cost from meta tensors: what a graph would compute, without computing it.

Each step is bounded before the next one runs, so a hostile graph ends at its first impossible one.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from harness.graph.program import Compiler, Program, Slots, Step
from harness.graph.refusal import GraphRefused
from harness.values.base import Value
from harness.values.graph import Graph, Node


class Limits(Value):
    """What a graph may ask for. The sizes hold for one pass of the batch that it is tried with."""

    json_bytes: int = 32 * 2**20
    nodes: int = 20_000
    values: int = 400_000
    """Arguments of all nodes, entries of lists among them."""
    tensor_bytes: int = 4 * 2**30
    result_bytes: int = 2 * 2**30
    """The largest result, written out (a number that is expanded to a thousand counts a thousand times)."""
    live_bytes: int = 3 * 2**30
    """Results alive at one time."""
    written_bytes: int = 2**40
    """All results together: the time that is not spent on multiplying."""
    macs: int = 10**14
    """Multiply-accumulates."""
    dimensions: int = 32
    seconds: float = 60
    """Processor time for running on meta tensors; torchvision's largest networks take a few."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One node on meta tensors.

    Args:
        shape: of its result, the first one of several; empty for a size.
        dtype: likewise; `int` for a size.
        macs: multiply-accumulates.
        written_bytes: all its results.
        operands: dtypes of the tensors it takes.
    """

    node: Node
    shape: tuple[int, ...]
    dtype: str
    macs: int
    written_bytes: int
    operands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass of `batch` images on meta tensors.

    Args:
        live_bytes: the most that is alive at one time, the images and the weights apart. Tensors that share memory
            count once.
    """

    batch: int
    steps: tuple[Measured, ...]
    live_bytes: int
    output: tuple[int, ...]
    output_dtype: torch.dtype

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the pass."""
        return sum(each.macs for each in self.steps)

    @property
    def written_bytes(self) -> int:
        """Bytes of all results."""
        return sum(each.written_bytes for each in self.steps)


def measure(graph: Graph, batch: int, limits: Limits | None = None) -> Pass:
    """Run a graph whose structure was checked on meta tensors.

    Args:
        batch: images; a graph of a fixed batch is measured at its own.

    Raises:
        GraphRefused: an operator does not take what it is given, or something is larger than the limits.
    """
    return _Meter(graph, graph.input.batch or batch, limits or Limits()).run()


class _Meter:
    def __init__(self, graph: Graph, batch: int, limits: Limits) -> None:
        self._batch, self._limits = batch, limits
        self._program: Program = Compiler(graph, torch.device("meta")).program()
        images = torch.empty(batch, *graph.input.shape, dtype=getattr(torch, graph.input.dtype), device="meta")
        self._slots: Slots = self._program.filled(empty_weights(graph), images)
        self._alive = _Alive(self._slots)
        self._written = self._macs = 0
        self._deadline = time.thread_time() + limits.seconds

    def run(self) -> Pass:
        with torch.inference_mode():
            steps = tuple(self._measured(each) for each in self._program.steps)
        output = self._slots[self._program.output]
        if not isinstance(output, Tensor):
            raise GraphRefused("the output is not a tensor")
        return Pass(self._batch, steps, self._alive.peak, tuple(output.shape), output.dtype)

    def _measured(self, step: Step) -> Measured:
        try:
            return self._one(step)
        except GraphRefused:
            raise
        except Exception as error:
            said = " ".join(str(error).split())[:300]
            raise _refused(step.node, f"it does not take what it is given: {said}") from error

    def _one(self, step: Step) -> Measured:
        arguments, keywords = step.taken(self._slots)
        if step.operator.rule and (wrong := step.operator.rule(arguments)):
            raise _refused(step.node, f"it {wrong}")
        result = step.function(*arguments, **keywords)
        results = _parts(result)
        written = sum(_written_bytes(each) for each in results)
        macs = step.operator.macs(arguments, results[0]) if step.operator.macs and results else 0
        self._bound(step.node, result, written, macs)
        self._kept(step, result)
        first = next((each for each in results if isinstance(each, Tensor)), None)
        shape = tuple(first.shape) if first is not None else ()
        dtype = str(first.dtype).removeprefix("torch.") if first is not None else type(result).__name__
        operands = tuple(str(each.dtype).removeprefix("torch.") for each in _tensors(arguments))
        return Measured(step.node, shape, dtype, macs, written, operands)

    def _kept(self, step: Step, result: Any) -> None:
        slots, several = self._slots, isinstance(result, list | tuple)
        if several != bool(step.items) or any(item >= len(result) for item, _ in step.items):
            raise _refused(step.node, "it has no such result")
        step.keep(result, slots)
        self._alive.add(slots[slot] for slot in step.written)
        if self._alive.bytes > self._limits.live_bytes:
            raise _refused(step.node, f"{self._alive.bytes:,} bytes would be alive at once")
        self._alive.remove(slots[slot] for slot in step.last)
        for slot in step.last:
            slots[slot] = None

    def _bound(self, node: Node, result: Any, written: int, macs: int) -> None:
        self._written += written
        self._macs += macs
        if isinstance(result, int | float) and not abs(result) < 2**62:
            raise _refused(node, "a size is too large")
        if isinstance(result, Tensor) and result.dim() > self._limits.dimensions:
            raise _refused(node, f"its result would have {result.dim()} dimensions")
        if time.thread_time() > self._deadline:
            raise _refused(node, f"after {self._limits.seconds:g} s its shapes are still not known")
        for what, amount, most in (
            ("its result would have {:,} bytes", written, self._limits.result_bytes),
            ("all results together would have {:,} bytes", self._written, self._limits.written_bytes),
            ("the network would need {:,} multiply-accumulates", self._macs, self._limits.macs),
        ):
            if amount > most:
                raise _refused(node, what.format(amount))


class _Alive:
    """Bytes of the memory blocks that some slot still holds; the blocks of `given` values count nothing."""

    def __init__(self, given: Iterable[Any]) -> None:
        self.bytes = self.peak = 0
        self._given = list(_blocks(given))
        self._free = {_identity(each) for each in self._given}
        self._holders: dict[int, int] = {}

    def add(self, values: Iterable[Any]) -> None:
        for block in _blocks(values):
            key = _identity(block)
            if key not in self._free:
                self.bytes += 0 if key in self._holders else block.nbytes()
                self._holders[key] = self._holders.get(key, 0) + 1
        self.peak = max(self.peak, self.bytes)

    def remove(self, values: Iterable[Any]) -> None:
        for block in _blocks(values):
            key = _identity(block)
            if key not in self._free:
                self._holders[key] -= 1
                if not self._holders[key]:
                    del self._holders[key]
                    self.bytes -= block.nbytes()


def _identity(block: torch.UntypedStorage) -> int:
    return int(block._cdata)  # noqa: SLF001 - a meta tensor's memory has no address


def _blocks(values: Iterable[Any]) -> Iterator[torch.UntypedStorage]:
    return (each.untyped_storage() for each in values if isinstance(each, Tensor))


def empty_weights(graph: Graph) -> dict[str, Tensor]:
    """Meta tensors in place of the graph's."""
    return {
        name: torch.empty(each.shape, dtype=getattr(torch, each.dtype), device="meta")
        for name, each in graph.tensors.items()
    }


def _parts(result: Any) -> list[Any]:
    return list(result) if isinstance(result, list | tuple) else [result]


def _tensors(values: list[Any]) -> list[Tensor]:
    flat = [part for each in values for part in _parts(each)]
    return [each for each in flat if isinstance(each, Tensor)]


def _written_bytes(value: Any) -> int:
    return int(value.numel() * value.dtype.itemsize) if isinstance(value, Tensor) else 0


def _refused(node: Node, reason: str) -> GraphRefused:
    return GraphRefused(reason, operator=node.operator, node=node.name, line=node.line)
