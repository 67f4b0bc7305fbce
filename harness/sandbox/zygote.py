"""Run a zygote, seen from the grader: fork a worker, learn how it ended."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from harness.errors import HarnessError
from harness.sandbox.mother import ENVIRONMENT, Mother
from harness.sandbox.walls import Wall
from harness.worker.protocol import BrokenFrame, ChannelClosed, ChannelTimeout, Frame, receive, send

_REPLY_SECONDS = 60.0
_END_SECONDS = 10.0
# Behind the wall before torch is: builds the namespaces by being there, and ends them when the grader hangs up.
_HOLD = """
import os, socket, sys
grader = socket.socket(fileno=int(sys.argv[1]))
socket.send_fds(grader, [b"."], [os.pidfd_open(os.getpid())])
grader.recv(1)
os._exit(0)
"""


class CannotEnter(HarnessError):
    """A zygote is not allowed behind a wall that it did not start behind."""


@dataclass(frozen=True, slots=True)
class Forked:
    """A worker process: its number for the zygote, and for us."""

    inner: int
    pid: int


class Zygote:
    """Starts on construction.

    Args:
        mother: who forks it.
        box: the only folder of submissions its workers can see.
        inside: whether the mother is behind the wall already, and this zygote's alone: she ends with it.

    Raises:
        CannotEnter: it has to be forked by a mother who is inside.
        HarnessError: it did not come up, which is never a student's fault.

    Attributes:
        pid: its number.
    """

    def __init__(self, mother: Mother, wall: Wall, box: Path, *, inside: bool = False) -> None:
        self._wall, self._room = wall, box
        self._lock = threading.Lock()  # workers of one submission may be asked from several threads
        self._has_torchvision = False
        self._control, theirs = socket.socketpair()
        started = _Started(self._control, mother if inside else None)
        self._end = weakref.finalize(self, started.end)
        enters = wall.namespaces and not inside
        with theirs:
            try:
                holder = [started.hold(wall, box)] if enters else []
                try:
                    facts = {"uid": wall.user, "wall": enters, **wall.locks(box)}
                    mother.zygote(facts, (theirs.fileno(), *holder))
                finally:
                    for each in holder:
                        os.close(each)
                theirs.close()
                ready = self._answer("ready")
            except HarnessError:
                self.close()
                raise
        self.pid = int(ready.facts["pid"])
        for each in ready.descriptors:
            self.pid = _number_here(each, self.pid)
            started.kills(each)

    @property
    def alive(self) -> bool:
        return self._end.alive and not _ended(self._control)

    @property
    def resident_bytes(self) -> int:
        """Memory that its workers begin with; 0 where that cannot be found out."""
        with contextlib.suppress(psutil.Error):
            return int(psutil.Process(self.pid).memory_info().rss)
        return 0

    def close(self) -> None:
        """End it and, with it, every worker."""
        self._end()

    def import_torchvision(self) -> None:
        """Import it once for all workers from now on.

        Raises:
            HarnessError: the zygote is gone.
        """
        with self._lock:
            if not self._has_torchvision:
                self._ask("torchvision", {})
                self._answer("imported")
                self._has_torchvision = True

    def fork(self, folder: Path, *, memory_bytes: int, cpu_seconds: int, channel: int, output: int) -> Forked:
        """A new worker for the submission in `folder`, locked before it looks at it.

        Raises:
            HarnessError: the zygote is gone.
        """
        facts = {
            "folder": str(self._wall.inside(self._room) / folder.relative_to(self._room)),
            "memory_bytes": memory_bytes,
            "cpu_seconds": cpu_seconds,
        }
        with self._lock:
            self._ask("fork", facts, (channel, output))
            reply = self._answer("forked")
        pid = inner = int(reply.facts["pid"])
        for each in reply.descriptors:
            pid = _number_here(each, inner)
            os.close(each)
        return Forked(inner, pid)

    def reap(self, worker: Forked, patience_seconds: float) -> int:
        """How it ended, after killing it unless it ends in time; negative for a signal.

        Raises:
            HarnessError: the zygote is gone.
        """
        with self._lock:
            self._ask("reap", {"pid": worker.inner, "patience_seconds": patience_seconds})
            return int(self._answer("reaped", patience_seconds + _REPLY_SECONDS).facts["code"])

    def _ask(self, request: str, facts: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        try:
            send(self._control, request, facts, {}, descriptors)
        except ChannelClosed as error:
            raise HarnessError("the process that starts workers has ended") from error

    def _answer(self, kind: str, seconds: float = _REPLY_SECONDS) -> Frame:
        deadline = time.monotonic() + seconds
        try:
            frame = receive(self._control, max_payload_bytes=0, deadline=deadline, accept_descriptors=True)
        except (ChannelClosed, ChannelTimeout, BrokenFrame) as error:
            how = type(error).__name__ if isinstance(error, ChannelTimeout) else error
            raise HarnessError(f"the process that starts workers does not answer ({how})") from error
        if frame.kind == "refused":
            raise CannotEnter(str(frame.facts["reason"]))
        assert frame.kind == kind, frame.kind
        return frame


class _Started:
    """What there is of a zygote so far, and how all of it ends."""

    def __init__(self, control: socket.socket, mother: Mother | None) -> None:
        self._control, self._mother = control, mother
        self._processes: list[int] = []
        self._wall: tuple[socket.socket, subprocess.Popen[bytes]] | None = None

    def hold(self, wall: Wall, box: Path) -> int:
        """A descriptor of a process behind the wall.

        Raises:
            HarnessError: there is none.
        """
        ours, theirs = socket.socketpair()
        argv = [sys.executable, "-I", "-S", "-c", _HOLD, str(theirs.fileno())]
        with theirs:
            holder = subprocess.Popen(  # noqa: S603 - our own words
                wall.command(argv, box, dict(ENVIRONMENT)),
                cwd="/",
                env=dict(ENVIRONMENT),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        self._wall = ours, holder
        ours.settimeout(_REPLY_SECONDS)
        descriptors: list[int] = []
        with contextlib.suppress(TimeoutError):
            _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
        if not descriptors:
            holder.kill()
            _, words = holder.communicate()
            raise HarnessError(
                f"the wall {wall.name} cannot be built: {words.decode(errors='replace').strip()[-2000:]}"
            )
        # Its parent is the first process of their namespace, which takes all others with it.
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            self.kills(os.pidfd_open(psutil.Process(_number_here(descriptors[0], 0)).ppid()))
        return descriptors[0]

    def kills(self, process: int) -> None:
        """Kill this process, too; from now on the descriptor is ours."""
        self._processes.append(process)

    def end(self) -> None:
        """End it and, with it, every worker; returns when they are gone."""
        self._control.close()
        for each in self._processes:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(each, signal.SIGKILL)
        if self._wall is not None:
            ours, holder = self._wall
            ours.close()
            holder.communicate()
        if self._mother is not None:
            self._mother.close()
        for each in self._processes:
            select.select([each], [], [], _END_SECONDS)
            os.close(each)


def _ended(control: socket.socket) -> bool:
    """Whether nobody is at the other end any more."""
    try:
        return control.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _number_here(descriptor: int, inner: int) -> int:
    """The process's number in our own namespace, which only its descriptor knows (`man 2 pidfd_open`)."""
    found = re.search(r"^Pid:\s+(\d+)$", Path(f"/proc/self/fdinfo/{descriptor}").read_text(), re.MULTILINE)
    return int(found[1]) if found else inner
