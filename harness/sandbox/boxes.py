"""Keep boxes: a folder for one submission at a time, and the zygote that can see nothing else of the grader's.

A sandbox keeps as many boxes as were ever needed at once, so that each worker slot imports torch once. Whatever a
submission left in a box is deleted before the next one moves in.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.sandbox.process import Usage, Worker
from harness.sandbox.walls import ORDINARY_USER, Wall
from harness.sandbox.zygote import Zygote


class Box:
    """One worker slot. Not for use by two threads at once."""

    def __init__(self, wall: Wall) -> None:
        self._wall = wall
        self.path = Path(tempfile.mkdtemp(prefix="harness-box-")).resolve()
        self._end = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
        self._zygote: Zygote | None = None

    def worker(self, folder: Path, usage: Usage, stopping: threading.Event) -> Worker:
        """A worker for the submission in `folder`, which lies in this box.

        Raises:
            HarnessError: it cannot be started, which is never a student's fault.
        """
        _let_in(self.path, self._wall.user)
        return Worker(self.start(), folder, usage, stopping)

    def measuring_worker(self, usage: Usage, stopping: threading.Event) -> Worker:
        """A worker for graphs: it sees an empty folder, and its zygote is none that student code could have touched.

        Raises:
            HarnessError: it cannot be started.
        """
        if not self._wall.reusable:
            self.close_zygote()
        folder = self.path / "measuring"
        folder.mkdir(exist_ok=True)
        _let_in(self.path, self._wall.user)
        return Worker(self.start(), folder, usage, stopping)

    def start(self) -> Zygote:
        """The box's zygote, started unless it runs.

        Raises:
            HarnessError: it does not come up.
        """
        if self._zygote is None or not self._zygote.alive:
            self._zygote = Zygote(self._wall, self.path)
        return self._zygote

    def clear(self) -> None:
        """Delete what the last submission was, and the zygote too if that submission could have touched it."""
        for each in self.path.iterdir():
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each, ignore_errors=True)
            else:
                each.unlink(missing_ok=True)
        if not self._wall.reusable or any(self.path.iterdir()):
            self.close_zygote()

    def close_zygote(self) -> None:
        if self._zygote is not None:
            self._zygote.close()
            self._zygote = None

    def close(self) -> None:
        self.close_zygote()
        self._end()


class Sandbox:
    """Boxes behind one kind of wall; every kind passes the same hostile tests."""

    def __init__(self, wall: Wall) -> None:
        self.wall = wall
        self._idle: list[Box] = []
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self.wall.name

    @contextmanager
    def box(self) -> Iterator[Box]:
        """A box of one's own, empty, for one submission."""
        with self._lock:
            box = self._idle.pop() if self._idle else None
        box = box or Box(self.wall)
        try:
            yield box
        except BaseException:
            box.close()
            raise
        box.clear()
        with self._lock:
            self._idle.append(box)

    def close(self) -> None:
        """End every idle zygote; those of boxes in use end with them."""
        with self._lock:
            boxes, self._idle = self._idle, []
        for each in boxes:
            each.close()


def _let_in(box: Path, user: int | None) -> None:
    """Where root's workers become an ordinary user, that user's group may read the box; nobody else may."""
    if user is None:
        return
    for folder, _, files in os.walk(box):
        for path, mode in ((Path(folder), 0o750), *((Path(folder, name), 0o640) for name in files)):
            with contextlib.suppress(FileNotFoundError):
                os.chown(path, -1, ORDINARY_USER, follow_symlinks=False)
                if not path.is_symlink():
                    path.chmod(mode)
