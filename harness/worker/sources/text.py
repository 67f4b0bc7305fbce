"""Parse students' sources: encodings, notebooks, magics, and what is no Python."""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

_SIZE_LIMIT_BYTES = 16 << 20
_MAGIC = re.compile(r"^\s*(?:[!%?]|[\w.\[\], ]+=\s*[!%])|\?{1,2}\s*$")
_CELL_MAGIC = re.compile(r"^\s*%%(\w+)(.*)$")
_TRANSPARENT = frozenset({"time", "timeit", "capture", "prun", "python", "python3", "pypy"})
_CELL_MARK = re.compile(r"^#\s*(?:%%|In\[)")
_MAX_MAGICS = 400


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """A source file, or one code cell of a notebook.

    Attributes:
        label: what tracebacks call it: `model.py`, or `hw.ipynb cell 3` (code cells count from 1).
        body: its statements; empty when it does not parse.
        error: why it does not parse, with place and text.
    """

    label: str
    text: str
    body: tuple[ast.stmt, ...]
    error: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SourceText:
    """One file of a submission.

    Attributes:
        path: relative, with forward slashes.
        chunks: one for a `.py`, one per code cell for a notebook.
    """

    path: str
    chunks: tuple[Chunk, ...]
    notes: tuple[str, ...] = ()

    @property
    def errors(self) -> list[str]:
        return [each.error for each in self.chunks if each.error]


def read_source(folder: Path, path: str) -> list[SourceText]:
    """The source at `path`, and the files that its `%%writefile` cells would write."""
    file = folder / path
    try:
        if file.stat().st_size > _SIZE_LIMIT_BYTES:
            return [_failed(path, f"{path} is larger than {_SIZE_LIMIT_BYTES:,} bytes")]
        data = file.read_bytes()
    except OSError as error:
        return [_failed(path, f"{path} cannot be read: {error.strerror}")]
    text = decoded(data)
    if path.lower().endswith(".ipynb"):
        return _notebook(path, text)
    return [SourceText(path, (parsed(path, text),))]


def decoded(data: bytes) -> str:
    """Text of a source: byte-order mark, then a PEP 263 cookie or UTF-8, then Latin-1, which never fails."""
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):
        if data.startswith(mark):
            return _lines(data.decode(encoding, "replace"))
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return _lines(data.decode(encoding))
    except (SyntaxError, UnicodeError, LookupError):
        return _lines(data.decode("utf-8", "replace") if _mostly_utf8(data) else data.decode("latin-1"))


def _mostly_utf8(data: bytes) -> bool:
    """A few bad bytes in a UTF-8 file (a cut-off comment) should not spoil all its names."""
    text = data.decode("utf-8", "replace")
    return text.count("\ufffd") * 20 < sum(not each.isascii() for each in text)


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parsed(label: str, text: str) -> Chunk:
    """The text's statements; notebook magics are dropped only where the plain text does not parse."""
    if "\0" in text:
        return Chunk(label, "", (), f"{label} holds NUL characters: it is not a text file")
    lines, error = text.split("\n"), None
    for _ in range(_MAX_MAGICS):
        body, error = _statements("\n".join(lines))
        if error is None:
            return Chunk(label, text, body)
        if not _drop_magic(lines, error):
            break
    return Chunk(label, text, (), _described(label, lines, error))


def _statements(text: str) -> tuple[tuple[ast.stmt, ...], Exception | None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return tuple(ast.parse(text).body), None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return (), error


def _drop_magic(lines: list[str], error: Exception) -> bool:
    """Blank out the magic that the error points at; whether there was one."""
    number = getattr(error, "lineno", None) or 0
    for at in (number - 1, number - 2):
        if 0 <= at < len(lines) and _MAGIC.search(lines[at]):
            if (cell := _CELL_MAGIC.match(lines[at])) and cell[1] not in _TRANSPARENT:
                _blank(lines, at, _end_of_cell(lines, at))
            else:
                end = at + 1
                while end < len(lines) and lines[end - 1].rstrip().endswith("\\"):
                    end += 1
                _blank(lines, at, end)
            return True
    return False


def _end_of_cell(lines: list[str], start: int) -> int:
    marks = (at for at in range(start + 1, len(lines)) if _CELL_MARK.match(lines[at]))
    return next(marks, len(lines))


def _blank(lines: list[str], start: int, end: int) -> None:
    """`pass` instead of the first line, so that a block that held nothing else stays one."""
    indent = lines[start][: len(lines[start]) - len(lines[start].lstrip())]
    lines[start:end] = [f"{indent}pass"] + [""] * (end - start - 1)


def _described(label: str, lines: list[str], error: Exception | None) -> str:
    if isinstance(error, RecursionError | MemoryError):
        return f"{label} is nested too deeply to be read"
    number = getattr(error, "lineno", None)
    message = getattr(error, "msg", None) or str(error)
    text = lines[number - 1].strip()[:120] if number and number <= len(lines) else ""
    return f"{label} line {number}: {message}: `{text}`" if number else f"{label}: {message}"


def _failed(path: str, reason: str) -> SourceText:
    return SourceText(path, (Chunk(path, "", (), reason),))


def _notebook(path: str, text: str) -> list[SourceText]:
    try:
        content = json.loads(text.removeprefix("\ufeff"))
        cells = list(_code_cells(content))
    except (ValueError, RecursionError, AttributeError, TypeError) as error:
        return [_failed(path, f"{path} is not a notebook: {error}")]
    chunks, written = [], []
    for number, cell in enumerate(cells, 1):
        label = f"{path} cell {number}"
        name, body = _cell_magic(cell)
        if name.startswith("writefile"):
            written += _written(path, name, body)
        elif not name:
            chunks.append(parsed(label, body))
    return [SourceText(path, tuple(chunks)), *written]


def _code_cells(content: Any) -> Iterable[str]:
    """Text of each code cell; format 3 keeps cells in worksheets and calls their text `input`."""
    cells = content.get("cells")
    if cells is None:
        cells = [each for sheet in content["worksheets"] for each in sheet["cells"]]
    for cell in cells:
        if cell.get("cell_type") == "code":
            source = cell.get("source", cell.get("input", ""))
            yield _lines(source if isinstance(source, str) else "".join(map(str, source)))


def _cell_magic(cell: str) -> tuple[str, str]:
    """('', Python text), or the magic that makes the whole cell something else, with the text below it."""
    lines = cell.split("\n")
    at = next((number for number, line in enumerate(lines) if line.strip()), 0)
    found = _CELL_MAGIC.match(lines[at])
    if found is None:
        return "", cell
    lines[at] = ""
    rest = "\n".join(lines)
    return ("", rest) if found[1] in _TRANSPARENT else (f"{found[1]} {found[2].strip()}", rest)


def _written(path: str, magic: str, body: str) -> list[SourceText]:
    name = PurePosixPath(path).parent / magic.rsplit(maxsplit=1)[-1].strip("'\"")
    if name.suffix != ".py" or name.is_absolute() or ".." in name.parts:
        return []
    return [SourceText(name.as_posix(), (parsed(name.as_posix(), body),))]
