"""Find where in a TOML file each key stands. TOML readers give values without their lines.

The file is taken apart into statements by the reader itself: lines are put together until it can read them, so that
texts and arrays of many lines, quoted keys and inline tables are what the reader takes them for.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from harness.errors import Problem

_MOST_LINES = 200
"""Of one statement. A longer one has no place, and neither has what follows it."""
Path = tuple[str, ...]


def lines_of(text: str) -> dict[str, int]:
    """Dotted path of each key, with numbers in arrays, and the line its statement begins on, from 1.

    Args:
        text: a file that is TOML.
    """
    found: dict[str, int] = {}
    rows: dict[Path, int] = {}
    header: Path = ()
    for line, statement, content in _statements(text):
        if statement.startswith("["):
            ((path, kind),) = list(_headers(content))
            header = _numbered(path, rows, adds=kind is list)
            found.setdefault(".".join(header), line)
        else:
            for each in _keys(content, header):
                found.setdefault(".".join(each), line)
    for dotted, line in list(found.items()):
        # A table without a header of its own begins where the first of its parts does.
        for end, character in enumerate(dotted):
            if character == ".":
                found.setdefault(dotted[:end], line)
    return found


def all_placed(problems: Iterable[Problem], text: str) -> list[Problem]:
    """Mistakes of a file that is TOML, each as `placed` puts it."""
    lines, document = lines_of(text), tomllib.loads(text)
    return [placed(each, lines, document) for each in problems]


def placed(problem: Problem, lines: Mapping[str, int], document: Mapping[str, Any]) -> Problem:
    """The mistake with its line, or that of the table it belongs to, and the name of the row it is in."""
    parts = problem.where.split(".") if problem.where else []
    known = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    line = next((lines[path] for path in known if path in lines), None)
    return replace(problem, line=line, row=_row(parts, document))


def _statements(text: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Line, text and content of each header and each key with its value."""
    started, parts = 1, list[str]()
    for number, line in enumerate(text.split("\n"), 1):
        if not parts:
            started = number
        parts.append(line)
        statement = "\n".join(parts).strip()
        if len(parts) > _MOST_LINES:
            return
        try:
            content = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        parts = []
        if content:
            yield started, statement, content


def _headers(content: Mapping[str, Any]) -> Iterator[tuple[Path, type]]:
    """The path of `[a.b]` and dict, or of `[[a.b]]` and list."""
    for key, value in content.items():
        if isinstance(value, list):
            yield (key,), list
        elif value:
            yield from (((key, *rest), kind) for rest, kind in _headers(value))
        else:
            yield (key,), dict


def _numbered(path: Path, rows: dict[Path, int], *, adds: bool) -> Path:
    """The path with the number of the row it is in, for each array of tables on its way."""
    found: Path = ()
    for place, part in enumerate(path):
        found = (*found, part)
        if adds and place == len(path) - 1:
            rows[found] = rows.get(found, -1) + 1
        if found in rows:
            found = (*found, str(rows[found]))
    return found


def _keys(value: Any, at: Path) -> Iterator[Path]:
    """Every key and array element of a statement's value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*at, str(key))
        yield from _keys(each, (*at, str(key)))


def _row(parts: list[str], document: Mapping[str, Any]) -> str:
    """'points "tier 2"' for a place in a row that has a name; else nothing."""
    node: Any = document
    for place, part in enumerate(parts):
        if isinstance(node, list):
            row = node[int(part)] if part.isdigit() and int(part) < len(node) else None
            named = isinstance(row, dict) and isinstance(row.get("name"), str)
            return f'{parts[place - 1]} "{row["name"][:60]}"' if named and row else ""
        node = node.get(part) if isinstance(node, dict) else None
    return ""
