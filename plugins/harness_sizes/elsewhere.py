"""Tell how much a network may have learned that its weights file does not hold: no limit on the file limits that."""

from __future__ import annotations

from collections.abc import Iterable

from harness.api import Student, TracedNetwork, Value
from harness.api.graphs import ARGUMENTS, counts
from harness_sizes.canonical import raw, zstd_size
from harness_sizes.parameter_limit import MAX_LITERAL_BYTES

_WRITTEN_BYTES = 4
"""Of a number in the arguments of an operator."""
_MOST_NAMES_SHOWN = 3
_MOST_CHARACTERS = 60


class Elsewhere(Value):
    """What a network computes with, or may know, beside its weights file."""

    size_bytes: int = 0
    """Compressed without loss."""
    what: str = ""
    """Where that is, in words."""

    def __str__(self) -> str:
        return f"{self.size_bytes:,} more (compressed) that it may have learned {self.what}"


def elsewhere(student: Student) -> Elsewhere:
    """Find what counts as learned and is not in the file.

    Of a verified network tensors of the graph that a second instance, built from the sources alone, does not have; what
    it has may stand in the source as literals. Code that runs on every image may know its literals and the files that
    it reads.
    """
    if student.traced is not None:
        return _of_graph(student, student.traced)
    beside = student.facts.beside
    held = 0 if beside is None else beside.literal_bytes + beside.hidden_bytes
    if beside is None or held <= MAX_LITERAL_BYTES:
        return Elsewhere()
    files = f" and in {_named(beside.files)}" if beside.hidden_bytes else ""
    return Elsewhere(size_bytes=held, what=f"in the literals of its code{files}, which runs on every image")


def _of_graph(student: Student, traced: TracedNetwork) -> Elsewhere:
    found = counts(traced, student.weights, student.masks)
    written = found.hidden.get(ARGUMENTS, 0)
    outside = [name for name in found.hidden if name in traced.constants]
    size, places = _size(traced, outside) + _WRITTEN_BYTES * written, []
    if outside or written:
        places.append(f"in buffers and constants ({_named([*outside, *[ARGUMENTS] * bool(written)])})")
    if traced.literal_bytes > MAX_LITERAL_BYTES:
        made = _size(traced, found.constructed)
        size += min(made, traced.literal_bytes)
        places += ["in the literals of its source"] if made else []
    return Elsewhere(size_bytes=size, what=" and ".join(places))


def _size(traced: TracedNetwork, names: Iterable[str]) -> int:
    content = b"".join(raw(traced.constants[name]) for name in names if name in traced.constants)
    return zstd_size(content) if content else 0


def _named(names: Iterable[str]) -> str:
    return ", ".join(repr(name[:_MOST_CHARACTERS]) for name in list(names)[:_MOST_NAMES_SHOWN])
