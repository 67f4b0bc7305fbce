"""Read Canvas's bulk downloads: who handed in what, by file names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.submission.archives import is_work_name
from harness.submission.entries import escape
from harness.submission.hand_in import HandIn, Part, _file_name
from harness.text import first_of

_CANVAS = re.compile(
    r"(?:(?P<name>\w*?)(?P<late>_LATE)?_)(?P<user>\d+)_(?:(?P<number>\d+)_(?P<file>.+)|(?P<entry>(?:text|link)\.html))"
)
_CANVAS_ANONYMOUS = re.compile(
    r"(?P<late>LATE_)?anon_(?P<user>[0-9A-Za-z]+)_(?:(?P<number>\d+)_(?P<file>.+)|(?P<entry>(?:text|link)\.html))"
)
_NUMBERED = re.compile(r"(?P<stem>[^.]+)-\d{1,4}(?P<rest>\..*)?")
_MAX_NAMES_SHOWN = 3


def _canvas(path: Path, prefix: str, items: Mapping[str, bool]) -> list[HandIn] | None:
    matches = {name: _CANVAS_ANONYMOUS.fullmatch(name) or _CANVAS.fullmatch(name) for name in items}
    files = {name: match for name, match in matches.items() if match and not items[name]}
    others = sorted(name for name in items if name not in files and (items[name] or is_work_name(name)))
    if not files or (others and len(files) <= max(len(others), 2)):
        return None
    if others:
        shown = first_of([escape(name) for name in others], _MAX_NAMES_SHOWN)
        raise UsageError(
            f"{path} looks like a bulk download of Canvas, but it also holds {shown}: move that elsewhere, or say "
            "--single if all of it is one submission"
        )
    people: dict[str, list[_CanvasFile]] = {}
    for name, match in files.items():
        people.setdefault(match["user"], []).append(_canvas_file(name, match))
    return [_canvas_hand_in(path, prefix, user, found) for user, found in people.items()]


@dataclass(frozen=True, slots=True)
class _CanvasFile:
    source: str
    number: int
    """The attachment's; later uploads have larger ones."""
    file: str
    person: str
    late: bool


def _canvas_file(source: str, match: re.Match[str]) -> _CanvasFile:
    person = match.groupdict().get("name") or ""
    number = int(match["number"] or 0)
    return _CanvasFile(source, number, _file_name(match["file"] or match["entry"]), escape(person), bool(match["late"]))


def _canvas_hand_in(path: Path, prefix: str, user: str, files: list[_CanvasFile]) -> HandIn:
    newest = max(files, key=lambda each: each.number)
    kept: dict[str, _CanvasFile] = {}
    for each in sorted(files, key=lambda each: each.number):
        kept[each.file] = each
    names, replaced = _unnumbered(kept)
    notes = [
        f"Canvas numbers what is handed in again: {file} is read as {name}"
        for file, name in sorted(names.items())
        if file != name
    ]
    notes += [f"{old} was left out: {new} is a newer file of that name" for old, new in sorted(replaced.items())]
    parts = tuple(
        Part(f"{prefix}{kept[file].source}", name, file if file != name else "") for file, name in sorted(names.items())
    )
    return HandIn(user, path, parts, (newest.person,) if newest.person else (), newest.late, None, tuple(notes))


def _unnumbered(files: Mapping[str, _CanvasFile]) -> tuple[dict[str, str], dict[str, str]]:
    """(file -> its name without Canvas's number, file left out -> the newer one of that name).

    `part-1.py` and `part-2.py` without a `part.py` are two files that their author numbered.
    """
    same: dict[str, list[str]] = {}
    for file in files:
        match = _NUMBERED.fullmatch(file)
        same.setdefault(match["stem"] + (match["rest"] or "") if match else file, []).append(file)
    names: dict[str, str] = {}
    replaced: dict[str, str] = {}
    for clean, found in same.items():
        newest = max(found, key=lambda file: files[file].number)
        if len(found) == 1 or (clean in found and newest != clean):
            names[newest] = clean
            replaced |= {file: newest for file in found if file != newest}
        else:
            names |= {file: file for file in found}
    return names, replaced
