"""Read Moodle's bulk downloads: who handed in what, by folder or file names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from harness.submission.entries import escape
from harness.submission.hand_in import Found, HandIn, Part, _file_name
from harness.submission.strays import with_strays

_MOODLE = re.compile(r"(?P<name>.*)_(?P<user>\d+)_assignsubmission_(?P<kind>file|onlinetext)_?(?P<file>.*)")


_PERSON = re.compile(r"_(\d+)_assignsubmission_(?:file|onlinetext)")


def _moodle(path: Path, prefix: str, items: Mapping[str, bool]) -> Found | None:
    left_out = []
    matched = set()
    found: dict[str, dict[str, list[Part]]] = {}
    names: dict[str, str] = {}
    for item in sorted(items):
        match = _MOODLE.fullmatch(item)
        people = _PERSON.findall(item)
        if match:
            matched.add(item)
        if len(people) > 1:
            # Moodle writes the first part and the student the rest; or the first is part of a name someone chose.
            left_out.append(
                f"{path}: {escape(item)} speaks for {' and for '.join(people)}, so it is given to nobody: rename it"
            )
        elif match:
            names[match["user"]] = escape(match["name"])
            part = Part(f"{prefix}{item}", "" if items[item] else _file_name(match["file"]))
            found.setdefault(match["user"], {}).setdefault(match["kind"], []).append(part)
    if not found:
        return None
    hand_ins = [
        HandIn(user, path, tuple(kinds.get("file") or kinds["onlinetext"]), (names[user],))
        for user, kinds in found.items()
    ]
    return with_strays(path, prefix, hand_ins, items, matched, left_out=left_out)
