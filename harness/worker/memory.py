"""What the memory behind tensors holds while a forward pass is recorded, as references to a graph's results.

A graph knows no memory: every operator makes a new value. A forward pass does: `y = x[:, 0]; y += 1` changes `x`. So
each piece of memory (`torch.UntypedStorage`) keeps which result is its whole content, and how the tensors that look at
a part of it came from one another. A change of a part becomes a new whole, and other parts are read anew when they are
used next, as `torch.func.functionalize` does it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from harness.graph.refusal import GraphRefused

Reference = dict[str, Any]
Emit = Callable[..., Reference]
"""Writes a node: (operator, *arguments) to the reference of its result."""

_PERMUTING = ("permute", "transpose", "t", "numpy_T", "mT", "adjoint", "movedim", "swapaxes")


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where in its memory a tensor lies. Two tensors that agree in it are the same numbers."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int

    @classmethod
    def of(cls, tensor: Tensor) -> Geometry:
        """Strides of dimensions with one element mean nothing and count as 0."""
        stride = tuple(step if size > 1 else 0 for size, step in zip(tensor.shape, tensor.stride(), strict=True))
        return cls(tensor.dtype, tuple(tensor.shape), stride, int(tensor.storage_offset()))


@dataclass(frozen=True, slots=True)
class View:
    """How a part was made.

    Args:
        parent: what it was made of.
        operator: with its overload.
        arguments: as written, the parent's reference first.
        item: which of several results it is.
    """

    parent: Geometry
    operator: str
    arguments: tuple[Any, ...]
    item: int | None


@dataclass(slots=True)
class _Part:
    reference: Reference
    version: int
    view: View | None


@dataclass(slots=True)
class Memory:
    """One piece of memory.

    Args:
        weak: keeps its address from being given away, and its content not alive.
        stored: the name of the network's own tensor that it belongs to; None for results.
        literal: it holds nothing but numbers written in the source, the same for any images and weights.
    """

    weak: StorageWeakRef
    stored: str | None = None
    literal: bool = False
    _version: int = 0
    _parts: dict[Geometry, _Part] = field(default_factory=dict)

    def knows(self, place: Geometry) -> bool:
        """Whether some result is that part as it is now."""
        return place in self._parts and self._parts[place].version == self._version

    def keep(self, place: Geometry, reference: Reference, view: View | None = None) -> None:
        """Note a result that lies there: as a part of another one, or by itself."""
        self._parts[place] = _Part(reference, self._version, view)

    def read(self, place: Geometry, emit: Emit) -> Reference | None:
        """The reference to a part as it is now; None for one that nobody made."""
        part = self._parts.get(place)
        if part is None:
            return None
        if part.version == self._version:
            return part.reference
        view = part.view
        parent = None if view is None else self.read(view.parent, emit)
        if view is None or parent is None:
            return None
        made = emit(view.operator, parent, *view.arguments[1:])
        part.reference = made if view.item is None else {**made, "item": view.item}
        part.version = self._version
        return part.reference

    def write(self, place: Geometry, reference: Reference, emit: Emit) -> None:
        """Note that a part now holds that result.

        Raises:
            GraphRefused: what the whole is then cannot be written down.
        """
        written = {place: reference}
        while (part := self._parts.get(place)) is not None and part.view is not None:
            parent = self.read(part.view.parent, emit)
            if parent is None:
                raise _unclear()
            reference = _put_back(part.view, place, parent, reference, emit)
            place = part.view.parent
            written[place] = reference
        if part is None or any(each.view is None for where, each in self._parts.items() if where != place):
            raise _unclear()
        self._version += 1
        for where, each in written.items():
            self._parts[where].reference, self._parts[where].version = each, self._version


def _put_back(view: View, place: Geometry, parent: Reference, part: Reference, emit: Emit) -> Reference:
    """The parent with that part of it replaced."""
    whole = view.parent
    scattering = _scattering(view, place)
    if scattering is not None:
        operator, arguments = scattering
        return emit(f"aten.{operator}.default", parent, part, *arguments)
    if _packet(view) in _PERMUTING:
        return emit("aten.permute.default", part, _permutation(place, whole))
    if place.dtype == whole.dtype and math.prod(place.shape) == math.prod(whole.shape):
        return emit("aten.reshape.default", part, list(whole.shape))
    raise _unclear()


def _scattering(view: View, place: Geometry) -> tuple[str, Sequence[Any]] | None:
    """The operator that puts a part of a dimension back, and its arguments after the two tensors."""
    packet, given, whole = _packet(view), view.arguments[1:], view.parent
    match packet:
        case "select" | "slice" | "diagonal":
            return f"{packet}_scatter", given
        case "unbind":
            return "select_scatter", (*(given or (0,)), view.item)
        case "narrow":
            dim, start, length = given
            return "slice_scatter", (dim, start, start + length)
        case "split" | "split_with_sizes" | "chunk" | "tensor_split":
            dim = (given[1] if len(given) > 1 else 0) % len(whole.shape)
            start = (place.offset - whole.offset) // (whole.stride[dim] or 1)
            return "slice_scatter", (dim, start, start + place.shape[dim])
    return None


def _packet(view: View) -> str:
    return view.operator.split(".")[1]


def _permutation(place: Geometry, whole: Geometry) -> list[int]:
    """Which dimension of a permuted view is which of the whole."""
    left = list(zip(place.shape, place.stride, strict=True))
    found = []
    for each in zip(whole.shape, whole.stride, strict=True):
        if each not in left:
            raise _unclear()
        found.append(left.index(each))
        left[found[-1]] = (-1, -1)
    return found


def _unclear() -> GraphRefused:
    return GraphRefused("the forward pass changes memory that several tensors share, in a way that cannot be followed")
