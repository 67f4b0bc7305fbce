"""Read Moodle's bulk downloads: who handed in what, by folder or file names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from harness.submission.entries import escape
from harness.submission.hand_in import HandIn, Part, _file_name

_MOODLE = re.compile(r"(?P<name>.*)_(?P<user>\d+)_assignsubmission_(?P<kind>file|onlinetext)_?(?P<file>.*)")


def _moodle(path: Path, prefix: str, items: Mapping[str, bool]) -> list[HandIn] | None:
    found: dict[str, dict[str, list[Part]]] = {}
    names: dict[str, str] = {}
    for item in sorted(items):
        match = _MOODLE.fullmatch(item)
        if match:
            names[match["user"]] = escape(match["name"])
            part = Part(f"{prefix}{item}", "" if items[item] else _file_name(match["file"]))
            found.setdefault(match["user"], {}).setdefault(match["kind"], []).append(part)
    if not found:
        return None
    return [
        HandIn(user, path, tuple(kinds.get("file") or kinds["onlinetext"]), (names[user],))
        for user, kinds in found.items()
    ]
