"""Read a notebook: its code cells, the files they would write, and what is wrong with one that is no JSON."""

from __future__ import annotations

import ast
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from harness.worker.sources.magics import TRANSPARENT, WRITING, arguments, magic_call
from harness.worker.sources.text import RESOLVE, Chunk, SourceText, conflict_marker, lines_of, parsed

_CELL_MAGIC = re.compile(r"^\s*%%(\w+)(.*)$")
_CODE_CELL = re.compile(r'"cell_type"\s*:\s*"code"')
_ANY_CELL = re.compile(r'"cell_type"\s*:')
_UPLOAD = "open it in Jupyter, download it again as a notebook, and compare the sizes of both files"


@dataclass(frozen=True, slots=True)
class Written:
    """What a cell would write into a `.py`.

    Attributes:
        path: relative to the submission; of an absolute path, its last part.
        whole: the path as the cell has it, for files that were handed in under another folder.
        label: the cell.
    """

    path: str
    whole: PurePosixPath
    text: str
    appends: bool
    label: str


class Unreadable(Exception):
    """Why a file is no notebook, and what to do."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.reason, self.hint = reason, hint


def notebook(path: str, text: str, max_characters: int) -> tuple[SourceText, list[Written]]:
    """The code cells of a notebook, and the files that others write.

    Raises:
        Unreadable: it is none, or its sources alone are too long.
    """
    cells, notes = _code_cells(path, _content(path, text))
    if sum(map(len, cells)) > max_characters:
        raise Unreadable(
            f"the code cells of {path} hold more than {max_characters:,} characters", "read data from a file instead"
        )
    chunks: list[Chunk] = []
    written: list[Written] = []
    for number, cell in enumerate(cells, 1):
        name, line, body = _cell_magic(cell)
        _sort(path, f"{path} cell {number}", (name, line, body), chunks, written)
    return SourceText(path, tuple(chunks), tuple(notes)), written


def code_cells(path: str, text: str) -> list[tuple[str, str]]:
    """The code cells of a notebook as they stand, each with what tracebacks call it.

    Raises:
        Unreadable: it is none.
    """
    cells, _ = _code_cells(path, _content(path, text))
    return [(f"{path} cell {number}", cell) for number, cell in enumerate(cells, 1)]


def without_outputs(path: str, text: str) -> str:
    """The same notebook with the text of its code cells, each in its place, and nothing else.

    Raises:
        Unreadable: it is none.
    """
    bare = [_bare_cell(each) for each in _cells(path, _content(path, text))]
    return json.dumps({"cells": bare, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})


def lines_apart(code: str) -> list[str]:
    """As Jupyter writes a cell's text, so that whoever searches the file finds where lines begin."""
    return io.StringIO(code).readlines()


def script(path: str, text: str) -> tuple[SourceText, list[Written]]:
    """A `.py`; one that nbconvert made of a notebook keeps cells in calls of `run_cell_magic`."""
    whole = parsed(path, text)
    chunks: list[Chunk] = []
    written: list[Written] = []
    plain: list[ast.stmt] = []
    for each in whole.body:
        call = magic_call(each)
        if call is None or len(call) != 3:
            plain.append(each)
            continue
        chunks += [Chunk(path, text, tuple(plain))] if plain else []
        plain = []
        _sort(path, f"{path} line {each.lineno}, %%{call[0]}", (call[0], call[1], call[2]), chunks, written)
    if plain or not chunks:
        chunks.append(Chunk(path, text, tuple(plain), whole.error, whole.hint))
    return SourceText(path, tuple(chunks)), written


def _sort(path: str, label: str, cell: tuple[str, str, str], chunks: list[Chunk], written: list[Written]) -> None:
    """Put a cell where it belongs: among the code, the files, or nowhere."""
    name, line, body = cell
    if name in WRITING:
        file = _file(path, line)
        written += [Written(*file, body, "-a" in line.split() or "--append" in line.split(), label)] if file else []
    elif not name or name in TRANSPARENT:
        chunks.append(parsed(label, body))


def _cell_magic(cell: str) -> tuple[str, str, str]:
    """Name, line and body of a cell magic; no name where it is plain Python, or Python that is only timed."""
    lines = cell.split("\n")
    at = next((number for number, line in enumerate(lines) if line.strip()), 0)
    found = _CELL_MAGIC.match(lines[at])
    if found is None:
        return "", "", cell
    if found[1] in WRITING:
        return found[1], found[2].strip(), "\n".join(lines[at + 1 :])
    lines[at] = ""
    rest = "\n".join(lines)
    # Magics are stacked: %%capture above %%time.
    return _cell_magic(rest) if found[1] in TRANSPARENT else (found[1], found[2].strip(), rest)


def _file(path: str, line: str) -> tuple[str, PurePosixPath] | None:
    words = [each for each in arguments(line) if not each.startswith("-")]
    if not words:
        return None
    whole = PurePosixPath(words[-1].replace("\\", "/"))
    outside = whole.is_absolute() or bool({"..", "~"} & set(whole.parts)) or "$" in words[-1] or "{" in words[-1]
    name = PurePosixPath(path).parent / (whole.name if outside else whole)
    return (name.as_posix(), whole) if name.suffix == ".py" else None


def _content(path: str, text: str) -> Any:
    text = text.removeprefix("\ufeff")
    try:
        return json.loads(text)
    except RecursionError as error:
        raise Unreadable(f"{path} is nested too deeply to be a notebook", _UPLOAD) from error
    except ValueError as error:
        try:
            return json.loads(text, strict=False)  # tabs and line ends inside texts
        except (ValueError, RecursionError):
            raise _broken(path, text, error) from error


def _broken(path: str, text: str, error: ValueError) -> Unreadable:
    """What happened to a file that is no JSON: where, in which cell, and why, as far as it shows."""
    lines = text.split("\n")
    if not text.strip():
        return Unreadable(f"{path} is empty", "save the notebook again, and look at the file's size")
    if marked := conflict_marker(lines):
        at = sum(len(each) + 1 for each in lines[: marked - 1])
        where, marker = f"line {marked}{_in_cell(text, at)}", lines[marked - 1][:60]
        return Unreadable(f"{path} is not valid JSON: {where} is a conflict marker of git, `{marker}`", RESOLVE)
    if text.lstrip()[:1] not in "{[":
        return _something_else(path, text.lstrip())
    at, end = getattr(error, "pos", 0), len(text.rstrip())
    message = getattr(error, "msg", str(error))
    if at >= end or message.startswith("Unterminated string"):
        line = text.count("\n", 0, end) + 1
        return Unreadable(
            f"{path} is cut off: the file ends at line {line}{_in_cell(text, end)}, in the middle of "
            f"`{_around(text, end)}`; a complete notebook ends with a closing brace",
            "hand in the whole file: save it, wait until it is saved, and upload it again",
        )
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    return Unreadable(
        f"{path} is not valid JSON: line {line} column {column}{_in_cell(text, at)}: "
        f"{message[:1].lower()}{message[1:]}: `{_around(text, at)}`",
        "correct that place in an editor, or download the notebook again from Jupyter",
    )


def _something_else(path: str, begins: str) -> Unreadable:
    if begins[:200].lower().startswith(("<!doctype", "<html")):
        return Unreadable(f"{path} is a web page, not a notebook", "download the notebook itself, as .ipynb")
    first = begins.split("\n", maxsplit=1)[0][:80]
    return Unreadable(
        f"{path} is not a notebook: it begins with `{first}`", "save it as a notebook, or call a script .py"
    )


def _in_cell(text: str, at: int) -> str:
    """', in cell 3' as Jupyter's code cells count; a text cell is called one."""
    before = text[:at]
    cells = list(_ANY_CELL.finditer(before))
    if not cells:
        return ""
    if not _CODE_CELL.match(before, cells[-1].start()):
        return f", in the text cell after code cell {len(_CODE_CELL.findall(before))}"
    return f", in cell {len(_CODE_CELL.findall(before))}"


def _around(text: str, at: int) -> str:
    start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
    return text[max(start, at - 50) : min(end if end >= 0 else len(text), at + 30)].strip()


def _cells(path: str, content: Any) -> list[Any]:
    """All cells, whatever they are; format 3 keeps them in worksheets."""
    cells = content.get("cells") if isinstance(content, dict) else None
    if cells is None and isinstance(content, dict):
        sheets = [each for each in _listed(content.get("worksheets")) if isinstance(each, dict)]
        cells = [cell for sheet in sheets for cell in _listed(sheet.get("cells"))] if sheets else None
    if not isinstance(cells, list):
        raise Unreadable(f"{path} is JSON, but not a notebook: it has no list of cells", _UPLOAD)
    return cells


def _bare_cell(cell: Any) -> dict[str, Any] | None:
    if not isinstance(cell, dict):
        return None
    if cell.get("cell_type") != "code":
        return {"cell_type": "markdown", "metadata": {}, "source": ""}
    return {
        "cell_type": "code",
        "metadata": {},
        "execution_count": None,
        "outputs": [],
        "source": lines_apart(_source(cell)),
    }


def _code_cells(path: str, content: Any) -> tuple[list[str], list[str]]:
    """Text of each code cell, and notes."""
    cells = _cells(path, content)
    found, notes = [], []
    for number, cell in enumerate(cells, 1):
        if not isinstance(cell, dict):
            what = json.dumps(cell)[:60]
            notes.append(f"{path}: cell {number} of {len(cells)}, text cells counted, is {what} and was left out")
        elif cell.get("cell_type") == "code":
            found.append(_source(cell))
    return found, notes


def _source(cell: dict[str, Any]) -> str:
    """A cell's text, which format 3 calls `input`."""
    return lines_of(_joined(cell.get("source", cell.get("input"))))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _joined(source: Any) -> str:
    """A cell's text: written whole, or as a list of its lines."""
    if not isinstance(source, list):
        return source if isinstance(source, str) else ""
    parts = list(_texts(source))
    # Some programs leave the line ends out.
    bare = len(parts) > 1 and not any(each.endswith("\n") for each in parts[:-1])
    return ("\n" if bare else "").join(parts)


def _texts(parts: Iterable[Any]) -> Iterator[str]:
    for each in parts:
        if isinstance(each, list):
            yield from map(str, filter(None, each))
        elif each is not None:
            yield str(each)
