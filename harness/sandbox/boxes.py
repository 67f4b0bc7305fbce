"""Keep boxes: a folder for one submission at a time, and the zygote that can see nothing else of the grader's.

A sandbox keeps as many boxes as were ever needed at once. Whatever a submission left in a box is deleted before the
next one moves in. Torch is imported once for all of them, by the mother of their zygotes (`harness.worker.mother`), who
stands outside; her children enter the namespaces that bubblewrap builds around each box. One wall around all boxes
would be simpler, but then a worker could ask which other submissions exist and see their processes. A mother behind
each wall would import torch again for each: that is how it is done where entering is refused (a bubblewrap with the
rights of root, Linux before 5.8, a container's filter).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import SandboxUnavailable
from harness.sandbox.mother import ENVIRONMENT, Mother
from harness.sandbox.process import Usage, Worker, out_of_time
from harness.sandbox.reader import Reader
from harness.sandbox.rooms import Room
from harness.sandbox.walls import ORDINARY_USER, Wall
from harness.sandbox.zygote import CannotEnter, Zygote

if TYPE_CHECKING:
    from harness.submission.hand_in import HandIn
    from harness.submission.reading import Submission
    from harness.values.rules import Limits


class Box:
    """One worker slot. Not for use by two threads at once."""

    def __init__(self, wall: Wall, zygote: Callable[[Path], Zygote], share: Callable[[], int] = lambda: 1) -> None:
        self._wall, self._new, self._share = wall, zygote, share
        self._room = Room()
        self.path = self._room.path
        self._zygote: Zygote | None = None
        self._reader: Reader | None = None
        self._since = time.monotonic()
        self._served_before = False

    def read(
        self,
        hand_in: HandIn,
        formats: list[str],
        limits: Limits,
        *,
        stopping: threading.Event | None = None,
        texts: bool = False,
        readable: tuple[str, ...] | None = None,
    ) -> Submission:
        """The hand-in, copied into this box by a process that only reads; see `Reader.read` for what it raises.

        Args:
            limits: what the assignment allows.
            texts, readable: see `harness.worker.reading.ToRead`.
        """
        from harness.submission.reading import ReadLimits

        return self._begun().read(
            hand_in,
            self.path,
            formats,
            ReadLimits(total_bytes=limits.submission_bytes),
            seconds=min(limits.reading_seconds, limits.total_seconds),
            stopping=stopping or threading.Event(),
            texts=texts,
            readable=readable,
        )

    def warm(self) -> None:
        """Start the process that reads, ahead of time."""
        self._begun()

    def _begun(self) -> Reader:
        if self._reader is None or not self._reader.alive:
            self._reader = Reader()
        return self._reader

    def free_workers(self) -> int:
        """How many of its workers may compute at once just now."""
        return self._share() if self._wall.reusable else 1  # there, every new one ends the others

    def begin(self) -> None:
        """The time of its next submission counts from now."""
        self._since = time.monotonic()

    def seconds_left(self, total_seconds: float) -> float:
        """Of the time that a submission has in all.

        Raises:
            SubmissionError: nothing is left.
        """
        left = self._since + total_seconds - time.monotonic()
        if left <= 0:
            raise out_of_time(total_seconds)
        return left

    def worker(self, folder: Path, usage: Usage, stopping: threading.Event, *, torchvision: bool = False) -> Worker:
        """A worker for the submission in `folder`, which lies in this box.

        Args:
            torchvision: whether the submission is likely to import it. From a box's second submission on, that is done
                once for all; the first, a student's only one, may well do without.

        Raises:
            HarnessError: it cannot be started, which is never a student's fault.
        """
        _let_in(self.path, self._wall.user)
        zygote = self.start()
        if torchvision and self._served_before:
            zygote.import_torchvision()
        return Worker(zygote, folder, usage, stopping, until=self._since + usage.total_seconds)

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
        return Worker(self.start(), folder, usage, stopping, until=self._since + usage.total_seconds)

    def start(self) -> Zygote:
        """The box's zygote, started unless it runs.

        Raises:
            HarnessError: it does not come up.
        """
        if self._zygote is None or not self._zygote.alive:
            self._zygote = self._new(self.path)
        return self._zygote

    def clear(self) -> None:
        """Delete what the last submission was, and the zygote too if that submission could have touched it."""
        self._served_before = self._zygote is not None
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
        if self._reader is not None:
            self._reader.close()
        self._room.close()


class Sandbox:
    """Boxes behind one kind of wall; every kind passes the same hostile tests.

    Attributes:
        processors: that all boxes together may keep busy; while fewer boxes are in use, each has several.
    """

    def __init__(self, wall: Wall) -> None:
        self.wall = wall
        self.processors = 1
        self._in_use = 0
        self._idle: list[Box] = []
        self._lock = threading.Lock()
        self._mother: Mother | None = None
        self._one_for_all = True

    @property
    def name(self) -> str:
        return self.wall.name

    @contextmanager
    def box(self) -> Iterator[Box]:
        """A box of one's own, empty, for one submission.

        Raises:
            SandboxUnavailable: see `require_forks`.
        """
        require_forks()
        with self._lock:
            box = self._idle.pop() if self._idle else None
            self._in_use += 1
        box = box or Box(self.wall, self._zygote, lambda: self.processors // self._in_use)
        box.begin()
        try:
            yield box
        except BaseException:
            box.close()
            raise
        finally:
            with self._lock:
                self._in_use -= 1
        box.clear()
        with self._lock:
            self._idle.append(box)

    def warm_reader(self) -> None:
        """Start what reads the next hand-in, which takes a moment.

        Raises:
            SandboxUnavailable: see `require_forks`.
        """
        with self.box() as box:
            box.warm()

    def warm(self) -> None:
        """Import torch in the background from now on.

        Raises:
            SandboxUnavailable: see `require_forks`.
            HarnessError: there is no process to do so.
        """
        require_forks()
        if self._one_for_all:
            self._mother_of_all()

    def close(self) -> None:
        """End every idle zygote; those of boxes in use end with them."""
        with self._lock:
            boxes, self._idle = self._idle, []
            mother, self._mother = self._mother, None
        for each in boxes:
            each.close()
        if mother is not None:
            mother.close()

    def _mother_of_all(self) -> Mother:
        with self._lock:
            if self._mother is None or not self._mother.alive:
                self._mother = Mother()
            return self._mother

    def _zygote(self, box: Path) -> Zygote:
        if self._one_for_all:
            try:
                return Zygote(self._mother_of_all(), self.wall, box)
            except CannotEnter:
                self._one_for_all = False
        mother = Mother(lambda argv: self.wall.command(argv, box, dict(ENVIRONMENT)))
        return Zygote(mother, self.wall, box, inside=True)


def require_forks() -> None:
    """Hand-ins run in processes that are forked.

    Raises:
        SandboxUnavailable: not on this system; says what to use.
    """
    if not hasattr(os, "fork"):
        raise SandboxUnavailable(
            "this system, as Windows does, lacks what it takes to run a hand-in's files: use WSL (wsl --install) or "
            "Google Colab; harness.check(model=…) in Python or a notebook works here as well"
        )


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
