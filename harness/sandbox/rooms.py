"""Make private folders that do not outlive their grader, even one that was killed.

Whoever makes one holds a lock on it, which the kernel takes away with the process. When another grader starts, it
deletes those that nobody holds: students' work does not stay where temporary files lie.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Iterator
from functools import cache
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_PREFIX = "harness-room-"
_YOUNG_SECONDS = 60
"""A folder this new may be between being made and being locked."""


class Room:
    """A folder of one's own, empty; deleted by `close`, or when it is forgotten."""

    def __init__(self) -> None:
        sweep(Path(tempfile.gettempdir()).resolve())
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
        self.close = weakref.finalize(self, _end, self.path, _locked(self.path))


@contextlib.contextmanager
def room() -> Iterator[Path]:
    """A folder for as long as the context lasts."""
    made = Room()
    try:
        yield made.path
    finally:
        made.close()


@cache
def sweep(where: Path) -> int:
    """Delete the rooms there that killed graders of this user left behind; their number. Once in a process."""
    return sum(map(_swept, where.glob(f"{_PREFIX}*")))


def _swept(left: Path) -> bool:
    if fcntl is None:
        return False
    try:
        descriptor = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        state = os.fstat(descriptor)
        if state.st_uid != os.geteuid() or time.time() - state.st_mtime < _YOUNG_SECONDS:
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # someone holds it
        return False
    else:
        shutil.rmtree(left, ignore_errors=True)
        return True
    finally:
        os.close(descriptor)


def _locked(folder: Path) -> int | None:
    """A descriptor that locks it; None where there are no such locks, and then nobody sweeps either."""
    if fcntl is None:
        return None
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _end(folder: Path, lock: int | None) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if lock is not None:
        os.close(lock)
