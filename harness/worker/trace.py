"""From a module to a graph: the network as plain data (`harness.values.graph`) and the tensors it reads.

Runs beside student code, so what it returns is a claim; `harness.graph.limits` judges it. Everything is written as
plain dicts and lists, ready for JSON: no pickle leaves this process.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from harness.graph.refusal import GraphRefused
from harness.worker.any_batch import SIZES, NotForAnyBatch, for_any_batch
from harness.worker.failures import describe
from harness.worker.model import Model, evaluating, first_floating, modules_of
from harness.worker.named_tensors import NamedTensors
from harness.worker.source_lines import line_of
from harness.worker.tape import Tape

GRAPH_VERSION = 1


@dataclass(frozen=True, slots=True)
class Traced:
    """A graph as JSON takes it, and its tensors by name."""

    graph: dict[str, Any]
    tensors: dict[str, Tensor]


def trace(module: nn.Module, input_shape: tuple[int, ...], classes: int, batch: int = 64) -> Traced:
    """Describe what `module` computes in eval mode.

    Images arrive in float32 and are converted to the dtype of the network's floating parameters. The graph is for any
    number of images (see `harness.worker.any_batch`); a network that fixes it, such as by a shape written out, gets a
    graph of exactly `batch` images.

    Args:
        module: built, its lazy parameters initialised.
        input_shape: [channels, height, width] of one image.
        classes: columns of the logits.
        batch: images in a batch where it must be fixed.

    Raises:
        GraphRefused: no graph describes it: control flow that depends on values, state that changes, another output.
    """
    if any(isinstance(each, torch.jit.ScriptModule) for each in modules_of(module)):
        raise GraphRefused("TorchScript modules cannot be traced")
    evaluating(module)
    passes = _Passes(module, input_shape, classes)
    try:
        one, other = (passes.one(size) for size in SIZES)
        if _read_the_same(one, other):
            return Traced(for_any_batch(one.graph, other.graph), one.tensors)
    except (NotForAnyBatch, _Failed):
        pass
    one, other = (passes.one(batch) for _ in range(2))
    if one.graph != other.graph or not _read_the_same(one, other):
        raise GraphRefused("two forward passes on the same images do not do the same")
    return one


class _Passes:
    """Recorded forward passes of one module."""

    def __init__(self, module: nn.Module, input_shape: tuple[int, ...], classes: int) -> None:
        self._module, self._shape, self._classes = module, input_shape, classes
        self._input = first_floating(module)
        self._tapes: tuple[Tape, ...] = ()

    def one(self, batch: int) -> Traced:
        """The network at one number of images."""
        tensors = NamedTensors(self._module)
        images = torch.zeros(batch, *self._shape, device=self._input.device)
        tape = Tape(self._module, images, tensors, self._tapes)
        self._tapes += (tape,)
        try:
            with _ordinary_operators(), warnings.catch_warnings(), tape.recording():
                warnings.simplefilter("ignore")
                # Not even a conversion to what it is already: that is an operator too.
                own = images if self._input.dtype == images.dtype else images.to(self._input.dtype)
                output = self._module(own)
        except GraphRefused:
            raise
        except Exception as error:
            raise _failed(error) from error
        logits, notes = self._logits(output, batch)
        reference = tape.result(logits)
        graph = {
            "version": GRAPH_VERSION,
            "input": {"shape": list(self._shape), "batch": batch, "dtype": "float32"},
            "classes": self._classes,
            "tensors": tensors.entries,
            "nodes": _needed(tape.nodes, reference),
            "output": reference,
            "notes": notes,
        }
        return Traced(graph, tensors.values)

    def _logits(self, output: Any, batch: int) -> tuple[Tensor, list[str]]:
        """The first tensor [batch, classes] among what the module returned, and what a reader should know of that."""
        candidates = Model.candidates(output)
        for each in candidates:
            if tuple(each.shape) == (batch, self._classes):
                taken = f"forward returned a {type(output).__name__}; its first [N, {self._classes}] tensor was taken"
                return each, [] if each is output else [taken]
        shapes = " and ".join(str(list(each.shape)) for each in candidates) or type(output).__name__
        raise _Failed(f"forward returned {shapes} for {batch} images; expected logits of shape [N, {self._classes}]")


class _Failed(GraphRefused):
    """The forward pass does not go through, or not with that number of images."""


def _failed(error: Exception) -> GraphRefused:
    if type(error).__module__.startswith("torch._dynamo"):  # `torch.cond` and its like, and `torch.compile`
        return GraphRefused("control flow inside the network cannot be verified", line=line_of(error))
    return _Failed(f"the forward pass fails: {describe(error)}", line=line_of(error))


def _needed(nodes: list[dict[str, Any]], output: dict[str, Any]) -> list[dict[str, Any]]:
    """The nodes that the logits depend on, in order."""
    needed, found = {output["node"]}, []
    for node in reversed(nodes):
        if node["name"] in needed:
            found.append(node)
            needed.update(_references((node["arguments"], list(node["keywords"].values()))))
    return found[::-1]


def _references(argument: Any) -> Iterator[str]:
    if isinstance(argument, dict) and "node" in argument:
        yield argument["node"]
    elif isinstance(argument, list | tuple):
        for each in argument:
            yield from _references(each)


def _read_the_same(one: Traced, other: Traced) -> bool:
    """Whether two passes read the same numbers; a tensor that each makes anew may hold others."""
    both = one.tensors.keys() & other.tensors.keys()
    return all(_same(one.tensors[name], other.tensors[name]) for name in both)


def _same(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    itself = one.is_meta or one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()
    return itself or torch.allclose(one, other, rtol=0, atol=0, equal_nan=True)


@contextlib.contextmanager
def _ordinary_operators() -> Iterator[None]:
    """Attention as the products it is, not as one fused operator that exists for inference only."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
