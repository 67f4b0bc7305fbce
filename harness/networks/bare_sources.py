"""Sources without what only a reader of files would see: comments, and all of a notebook but its code.

What a class makes of its own comments, or of a picture in a notebook's output, was not constructed: it was stored.
"""

from __future__ import annotations

import io
import json
import re
import tokenize
from collections.abc import Iterable
from pathlib import Path

from harness.worker.sources.notebooks import Unreadable, code_cells, lines_apart
from harness.worker.sources.text import decoded

MOST_CHARACTERS = 4 << 20
"""Of a hand-in's code in which comments are looked for, which takes seconds for each million of the worst."""
_MOST_BYTES = 64 << 20
_ENDS_OF_LINES = re.compile(r"(^|[ \t])#(?!\s*(?:%%|In\[)).*$", re.MULTILINE)

_CELL_MAGIC = re.compile(r"\s*%%(\w+)")
_OF_PYTHON = {"writefile", "time", "timeit", "capture", "prun", "python", "python3", "pypy"}


def write_bare(source: Path, target: Path, most_characters: int = MOST_CHARACTERS) -> int:
    """Write the source's code to `target`, and tell how long it was before; 0: nothing, it is too long or no text."""
    if source.stat().st_size > _MOST_BYTES:
        return 0
    text = decoded(source.read_bytes())
    try:
        is_notebook = source.suffix.lower() == ".ipynb"
        codes = [code for _, code in code_cells(source.name, text)] if is_notebook else [text]
    except Unreadable:
        return 0
    length = sum(map(len, codes))
    if length > most_characters or "\0" in text:
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    bare = _notebook(map(_cell, codes)) if is_notebook else without_comments(text)
    target.write_text(bare, encoding="utf-8", errors="replace")
    return length


def without_comments(text: str) -> str:
    """The same lines without comments; where they are no Python, without all that looks like one."""
    lines = text.splitlines(keepends=True)
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                number, column = token.start
                rest = lines[number - 1][column:]
                lines[number - 1] = lines[number - 1][:column] + "\n" * rest.endswith("\n")
    except (tokenize.TokenError, SyntaxError, IndexError, ValueError, RecursionError):
        return _ENDS_OF_LINES.sub("", text)
    return "".join(lines)


def _notebook(codes: Iterable[str]) -> str:
    return json.dumps({"cells": [{"cell_type": "code", "source": lines_apart(each)} for each in codes], "nbformat": 4})


def _cell(code: str) -> str:
    magic = _CELL_MAGIC.match(code)
    return "" if magic and magic[1] not in _OF_PYTHON else without_comments(code)
