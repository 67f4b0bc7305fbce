"""Find what arrives in a folder, by looking again and again; what is still being copied waits until it is quiet."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from harness.errors import UsageError
from harness.submission.archives import archive_suffix
from harness.submission.discovery import find
from harness.submission.hand_in import HandIn
from harness.submission.staging import is_source

_File = tuple[str, int, int, int]
"""Path, size, time of change in nanoseconds and inode."""
_State = frozenset[_File | frozenset[_File]]
"""Every file of a hand-in, and all that lie beside it."""


@dataclass
class Arrivals:
    """A folder of submissions, or a bulk download, as it fills.

    Nothing goes by the times that files bear: those of a copy may be old, and another machine's clock be wrong.
    """

    folder: Path
    quiet: timedelta
    """How long nothing of a hand-in may have changed before it counts as whole."""
    problems: list[str] = field(default_factory=list)
    """What stood in the way when it was last looked at, such as two hand-ins of one id."""
    _seen: dict[str, tuple[_State, datetime]] = field(default_factory=dict)
    """Id -> what it consisted of, and since when."""
    _settled: dict[str, tuple[_State, datetime | None]] = field(default_factory=dict)
    """Id -> what it consisted of when it was dealt with, and when to look again all the same."""

    def ready(self, now: datetime) -> list[HandIn]:
        """What is whole and was not dealt with as it is now, by id."""
        look = _Look()
        return [each for each in self._found() if self._is_ready(each, look.state(each), now)]

    def settle(self, hand_in: HandIn, until: datetime | None = None) -> None:
        """It is dealt with, as it was when it was `ready`: for good or until a moment, or else until it changes."""
        self._settled[hand_in.id] = (self._seen[hand_in.id][0], until)

    def _is_ready(self, hand_in: HandIn, state: _State, now: datetime) -> bool:
        if not state:
            return False
        if self._seen.get(hand_in.id, (None, now))[0] != state:
            self._seen[hand_in.id] = (state, now)
        if now - self._seen[hand_in.id][1] < self.quiet:
            return False
        settled, until = self._settled.get(hand_in.id, (None, None))
        return settled != state or (until is not None and now >= until)

    def _found(self) -> list[HandIn]:
        if not self.folder.is_dir():
            self.problems = [f"{self.folder}: no such folder any more"]
            return []
        try:
            found = find([self.folder], mode="class")
        except (UsageError, OSError) as error:
            self.problems = [str(error)]
            return []
        self.problems = list(found.left_out)
        return list(found.hand_ins)


class _Look:
    """The files that are there now; those of a folder full of sources are listed once."""

    def __init__(self) -> None:
        self._beside: dict[Path, dict[str, frozenset[_File]]] = {}

    def state(self, hand_in: HandIn) -> _State:
        """What it consists of; nothing while there is no file, or while files come and go."""
        roots: Iterable[Path] = [hand_in.path]
        if hand_in.parts is not None and hand_in.path.is_dir():
            roots = [hand_in.path / part.source for part in hand_in.parts]
        try:
            files = {_file(each) for root in roots for each in _below(root)}
            lonely = files and hand_in.parts is None and is_source(hand_in.path)
            return frozenset({*files, *(self._weights(hand_in.path) if lonely else ())})
        except OSError:
            return frozenset()

    def _weights(self, source: Path) -> Iterator[frozenset[_File]]:
        """What may be the weights of a source that was handed in alone: what is called like it or like no source."""
        if source.parent not in self._beside:
            self._beside[source.parent] = _beside(source.parent)
        found = self._beside[source.parent]
        yield from (found[stem] for stem in (source.stem, "") if stem in found)


def _beside(folder: Path) -> dict[str, frozenset[_File]]:
    """Stem of a source -> the other files that are called like it; those called like none are under ""."""
    there = [each for each in folder.iterdir() if each.is_file() and archive_suffix(each) is None]
    stems = {each.stem for each in there if is_source(each)}
    found: dict[str, set[_File]] = {}
    for each in there:
        if not is_source(each):
            found.setdefault(each.stem if each.stem in stems else "", set()).add(_file(each))
    return {stem: frozenset(files) for stem, files in found.items()}


def _below(root: Path) -> Iterator[Path]:
    if root.is_dir():
        yield from (Path(folder, name) for folder, _, names in os.walk(root) for name in names)
    else:
        yield root


def _file(path: Path) -> _File:
    found = path.lstat()
    return str(path), found.st_size, found.st_mtime_ns, found.st_ino
