"""Read Canvas's bulk downloads: who handed in what, by file names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.submission.canvas_names import SMALL_DIGITS, CanvasName, canvas_names
from harness.submission.entries import escape
from harness.submission.hand_in import Found, HandIn, Part, _file_name
from harness.submission.strays import is_handed_in, with_strays

_NUMBERED = re.compile(r"(?P<stem>[^.]+)-\d{1,4}(?P<rest>\..*)?")


def _canvas(path: Path, prefix: str, items: Mapping[str, bool]) -> Found | None:
    files = canvas_names(name for name, folder in items.items() if not folder)
    work = sum(is_handed_in(name, folder=folder) for name, folder in items.items() if name not in files)
    # A student may call two files so, but hardly with the ids of two people.
    few = 1 if len({said.user for said in files.values() if len(said.user) > SMALL_DIGITS}) > 1 else 2
    if not files or (work and len(files) <= max(work, few)):
        return None
    people: dict[str, list[_CanvasFile]] = {}
    for name, said in files.items():
        people.setdefault(said.user, []).append(_canvas_file(name, said))
    hand_ins = [_canvas_hand_in(path, prefix, user, found) for user, found in people.items()]
    return with_strays(path, prefix, hand_ins, items, files)


@dataclass(frozen=True, slots=True)
class _CanvasFile:
    source: str
    number: int
    """The attachment's; later uploads have larger ones."""
    file: str
    person: str
    late: bool


def _canvas_file(source: str, said: CanvasName) -> _CanvasFile:
    return _CanvasFile(source, said.number, _file_name(said.file), escape(said.person), said.late)


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
