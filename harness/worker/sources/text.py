"""Parse students' sources: encodings, magics, and what is no Python."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from dataclasses import dataclass, field

from harness.worker.sources.magics import TRANSPARENT, WRITING, as_call, expanded

_MAGIC = re.compile(r"^\s*(?:[!%?]|[\w.\[\], ]+=\s*[!%])|\?{1,2}\s*$")
_CELL_MAGIC = re.compile(r"^\s*%%(\w+)(.*)$")
_CELL_MARK = re.compile(r"^#\s*(?:%%|In\[)")
_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})(?: |$)")
_MAX_MAGICS = 400
CORRECT_LINE = "correct that line"
RESOLVE = "open it in an editor, keep one of the two versions, and take out the lines <<<<<<<, ======= and >>>>>>>"


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """A source file, or one code cell of a notebook.

    Attributes:
        label: what tracebacks call it: `model.py`, or `hw.ipynb cell 3` (code cells count from 1).
        body: its statements; empty when it does not parse.
        error: why it does not parse, with place and text.
        hint: what to do about that.
    """

    label: str
    text: str
    body: tuple[ast.stmt, ...]
    error: str | None = None
    hint: str = CORRECT_LINE


@dataclass(frozen=True, slots=True, eq=False)
class SourceText:
    """One file of a submission.

    Attributes:
        path: relative, with forward slashes.
        chunks: one for a `.py`, one per code cell for a notebook.
    """

    path: str
    chunks: tuple[Chunk, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def errors(self) -> list[str]:
        return [each.error for each in self.chunks if each.error]


def decoded(data: bytes) -> str:
    """Text of a source: byte-order mark, then a PEP 263 cookie or UTF-8, then Latin-1, which never fails."""
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):
        if data.startswith(mark):
            return lines_of(data.decode(encoding, "replace"))
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return lines_of(data.decode(encoding))
    except (SyntaxError, UnicodeError, LookupError):
        return lines_of(data.decode("utf-8", "replace") if _mostly_utf8(data) else data.decode("latin-1"))


def _mostly_utf8(data: bytes) -> bool:
    """A few bad bytes in a UTF-8 file (a cut-off comment) should not spoil all its names."""
    text = data.decode("utf-8", "replace")
    return text.count("\ufffd") * 20 < sum(not each.isascii() for each in text)


def lines_of(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parsed(label: str, text: str) -> Chunk:
    """The text's statements; notebook magics are dropped only where the plain text does not parse."""
    if "\0" in text:
        return Chunk(label, "", (), f"{label} holds NUL characters: it is not a text file", "save it as UTF-8 text")
    lines, error = text.split("\n"), None
    for _ in range(_MAX_MAGICS):
        body, error = _statements("\n".join(lines))
        if error is None:
            return Chunk(label, text, expanded(body))
        if not _drop_magic(lines, error):
            break
    return Chunk(label, text, (), *_described(label, lines, error))


def _statements(text: str) -> tuple[tuple[ast.stmt, ...], Exception | None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return tuple(ast.parse(text).body), None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return (), error


def _drop_magic(lines: list[str], error: Exception) -> bool:
    """Put something harmless, or what it means, for the magic that the error points at; whether there was one."""
    number = getattr(error, "lineno", None) or 0
    for at in (number - 1, number - 2):
        if not (0 <= at < len(lines) and _MAGIC.search(lines[at])):
            continue
        if cell := _CELL_MAGIC.match(lines[at]):
            # Dumps of a whole notebook hold what a cell writes into a file; its names are wanted just as well.
            stays = cell[1] in TRANSPARENT or (cell[1] in WRITING and ".py" in cell[2])
            _replace(lines, at, at + 1 if stays else _end_of_cell(lines, at), "pass")
        else:
            end = at + 1
            while end < len(lines) and lines[end - 1].rstrip().endswith("\\"):
                end += 1
            _replace(lines, at, end, as_call(lines[at].strip()) if end == at + 1 else "pass")
        return True
    return False


def _end_of_cell(lines: list[str], start: int) -> int:
    marks = (at for at in range(start + 1, len(lines)) if _CELL_MARK.match(lines[at]))
    return next(marks, len(lines))


def _replace(lines: list[str], start: int, end: int, statement: str) -> None:
    """A statement instead of the first line, so that a block that held nothing else stays one."""
    indent = lines[start][: len(lines[start]) - len(lines[start].lstrip())]
    lines[start:end] = [f"{indent}{statement}"] + [""] * (end - start - 1)


def _described(label: str, lines: list[str], error: Exception | None) -> tuple[str, str]:
    """What is wrong, and what to do about it."""
    if isinstance(error, RecursionError | MemoryError):
        return f"{label} is nested too deeply to be read", "write it as shorter expressions"
    if at := conflict_marker(lines):
        return f"{label} line {at}: a conflict marker of git: `{lines[at - 1][:120]}`", RESOLVE
    number = getattr(error, "lineno", None)
    message = getattr(error, "msg", None) or str(error)
    text = lines[number - 1].strip()[:120] if number and number <= len(lines) else ""
    if number:
        return f"{label} line {number}: {message}: `{text}`", CORRECT_LINE
    return f"{label}: {message}", "save it again as UTF-8 text"


def conflict_marker(lines: list[str]) -> int:
    """Number of the first line that git wrote into a file it could not merge; 0 where there is none."""
    marked = [at for at, line in enumerate(lines, 1) if _CONFLICT.match(line)]
    return marked[0] if any(lines[at - 1].startswith(("<<<<<<<", ">>>>>>>")) for at in marked) else 0
