"""How much sources hold beside code: what a class makes of it was written there, and may have been learned before."""

from __future__ import annotations

import ast
import zlib
from collections.abc import Iterable, Iterator

from harness.worker.sources.text import Chunk

_LONG_NAME = 40


def literal_bytes(chunks: Iterable[Chunk]) -> int:
    """Compressed size of numbers, texts (docstrings among them), long names, and lines that are no Python.

    Comments are left out: where it matters, nobody can read them (`harness.networks.bare_sources`).
    """
    held = (each for chunk in chunks for each in (*_literals(chunk), *_no_python(chunk)))
    return len(zlib.compress(" ".join(held).encode(errors="replace"), 9))


def longest_literal(chunks: Iterable[Chunk]) -> str:
    """The longest number or text and where it stands: "2,025 characters at model.py line 9"; empty without any."""
    found = (
        (len(repr(node.value)), chunk.label, node.lineno)
        for chunk in chunks
        for statement in chunk.body
        for node in ast.walk(statement)
        if isinstance(node, ast.Constant)
    )
    length, label, line = max(found, default=(0, "", 0))
    return f"{length:,} characters at {label} line {line}" if length else ""


def _literals(chunk: Chunk) -> Iterator[str]:
    for statement in chunk.body:
        for node in ast.walk(statement):
            match node:
                case ast.Constant():
                    yield repr(node.value)
                case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=name):
                    if name and len(name) > _LONG_NAME:
                        yield name


def _no_python(chunk: Chunk) -> Iterator[str]:
    """All of a text that does not parse; magics, and cells for other programs."""
    covered = {line for each in chunk.body for line in range(each.lineno, (each.end_lineno or each.lineno) + 1)}
    for number, line in enumerate(chunk.text.split("\n"), 1):
        text = line.strip()
        if text and (text.startswith(("!", "%", "?")) or (number not in covered and not text.startswith("#"))):
            yield text
