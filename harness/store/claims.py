"""Share a class among graders that work on one store: each hand-in is claimed by one of them while it is graded.

A claim ends with the result, with the run, or a minute after its holder was last heard of. On the same machine it is
seen at once when the holder is dead, so that a run that was killed and started again waits for nobody.
"""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psutil
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from harness.store.database import explained
from harness.store.tables import claims

SECONDS = 60.0
"""A claim lasts so long, unless its holder prolongs it."""
_PROLONGED_EVERY = 10.0
_CLOCK_SECONDS = 5.0
"""By which a clock may be put right meanwhile."""


@dataclass(frozen=True)
class Claims:
    """The claims of one run of grading.

    Args:
        engine: of the store at `url`.
        holder: who makes them.
    """

    engine: sa.Engine
    url: str
    assignment_id: str
    holder: str = field(default_factory=lambda: f"{_here()} {os.getpid()} {_started(os.getpid())} {uuid4().hex}")

    def take(self, submission: str) -> bool:
        """Claim a submission, unless another grader that is alive has it.

        Raises:
            UsageError: the store cannot be written.
        """
        own = {"assignment_id": self.assignment_id, "submission": submission, "holder": self.holder}
        with explained(self.url):
            try:
                with self.engine.execution_options(for_writing=True).begin() as connection:
                    found = connection.execute(sa.select(claims).where(self._of(submission))).first()
                    if found is not None and found.holder != self.holder and _holds(found):
                        return False
                    if found is not None:  # that one and no other: someone else may be taking it over as well
                        connection.execute(claims.delete().where(self._of(submission) & _same(found)))
                    connection.execute(claims.insert().values(until=time.time() + SECONDS, **own))
            except IntegrityError:
                return False  # another one was faster
        return True

    def is_held(self, submission: str) -> bool:
        """Whether a grader that is alive has it."""
        with explained(self.url), self.engine.connect() as connection:
            found = connection.execute(sa.select(claims).where(self._of(submission))).first()
        return found is not None and _holds(found)

    def release(self, submission: str | None = None) -> None:
        """Give up a submission, or all of them."""
        which = claims.c.holder == self.holder
        if submission is not None:
            which &= self._of(submission)
        with explained(self.url), self.engine.begin() as connection:
            connection.execute(claims.delete().where(which))

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Prolong the claims while this lasts, then release them."""
        ended = threading.Event()
        beat = threading.Thread(target=self._prolong, args=(ended,), name="claims", daemon=True)
        beat.start()
        try:
            yield
        finally:
            ended.set()
            beat.join()
            self.release()

    def _prolong(self, ended: threading.Event) -> None:
        while not ended.wait(_PROLONGED_EVERY):
            try:
                with self.engine.begin() as connection:
                    until = claims.update().where(claims.c.holder == self.holder).values(until=time.time() + SECONDS)
                    connection.execute(until)
            except sa.exc.SQLAlchemyError:
                continue  # busy, or gone: whoever writes a result next will say so

    def _of(self, submission: str) -> sa.ColumnElement[bool]:
        return (claims.c.assignment_id == self.assignment_id) & (claims.c.submission == submission)


def _same(row: sa.Row[tuple[str, str, str, float]]) -> sa.ColumnElement[bool]:
    return sa.and_(claims.c.holder == row.holder, claims.c.until == row.until)


def _holds(row: sa.Row[tuple[str, str, str, float]]) -> bool:
    """Whether a claim is in force: not run out, and not of a process of this machine that has ended."""
    here, pid, started, _ = row.holder.rsplit(" ", 3)
    if here == _here():
        return abs(_started(int(pid)) - float(started)) < _CLOCK_SECONDS
    return float(row.until) > time.time()


def _here() -> str:
    """The machine since it was started, or this container of it: where process numbers mean the same."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{platform.node()} {boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not Linux
        return f"{platform.node()} {int(psutil.boot_time())}"


def _started(pid: int) -> float:
    """When a process was started, in seconds since 1970; 0 where none of that number runs."""
    try:
        process = psutil.Process(pid)
        return 0.0 if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return 0.0
