"""Sources without what only a reader of files would see: comments, and all of a notebook but its code.

What a class makes of its own comments, or of a picture in a notebook's output, was not constructed: it was stored.
"""

from __future__ import annotations

import io
import json
import re
import tokenize
from pathlib import Path
from typing import Any

from harness.worker.sources.text import decoded

_MOST_BYTES = 64 << 20
_MOST_CHARACTERS = 1 << 20
"""Of code in one file; in larger ones looking for comments would take long."""
_ENDS_OF_LINES = re.compile(r"(^|[ \t])#(?!\s*(?:%%|In\[)).*$", re.MULTILINE)

_CELL_MAGIC = re.compile(r"\s*%%(\w+)")
_OF_PYTHON = {"writefile", "time", "timeit", "capture", "prun", "python", "python3", "pypy"}


def write_bare(source: Path, target: Path) -> None:
    """Write the source's code to `target`; nothing where it is too large or no text."""
    if source.stat().st_size > _MOST_BYTES:
        return
    text = decoded(source.read_bytes())
    bare = _notebook(text) if source.suffix.lower() == ".ipynb" else without_comments(text)
    if bare is not None and "\0" not in bare:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(bare, encoding="utf-8", errors="replace")


def without_comments(text: str) -> str | None:
    """The same lines without comments; where they are no Python, without all that looks like one."""
    if len(text) > _MOST_CHARACTERS:
        return None
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


def _notebook(text: str) -> str | None:
    try:
        content = json.loads(text.removeprefix("\ufeff"))
        cells = content.get("cells") or [each for sheet in content.get("worksheets", ()) for each in sheet["cells"]]
        codes = [_code(each) for each in cells if each.get("cell_type") == "code"]
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError):
        return None
    return json.dumps({"cells": [{"cell_type": "code", "source": each or ""} for each in codes], "nbformat": 4})


def _code(cell: dict[str, Any]) -> str | None:
    source = cell.get("source", cell.get("input", ""))
    text = source if isinstance(source, str) else "".join(map(str, source))
    magic = _CELL_MAGIC.match(text)
    return "" if magic and magic[1] not in _OF_PYTHON else without_comments(text)
