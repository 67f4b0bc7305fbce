"""Run a zygote, seen from the grader: fork a worker, learn how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from harness.errors import HarnessError
from harness.sandbox.walls import Wall
from harness.worker.protocol import BrokenFrame, ChannelClosed, ChannelTimeout, Frame, receive, send

_BOOT = "from harness.worker import main; main()"
_START_SECONDS = 120.0
_REPLY_SECONDS = 60.0
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108 - nothing can be written there, but libraries want a home
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "MPLBACKEND": "agg",
    "MPLCONFIGDIR": "/tmp",  # noqa: S108 - as above; matplotlib would look for a better place and fail
    # Page faults of big temporaries are half the run time with glibc's defaults: keep freed memory.
    "GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=4294967296",
}


@dataclass(frozen=True, slots=True)
class Forked:
    """A worker process: its number for the zygote, and for us."""

    inner: int
    pid: int


class Zygote:
    """Starts on construction.

    Args:
        box: the only folder of submissions its workers can see.

    Raises:
        HarnessError: it did not come up, which is never a student's fault.
    """

    def __init__(self, wall: Wall, box: Path) -> None:
        self._wall, self._room = wall, box
        self._control, theirs = socket.socketpair()
        with tempfile.TemporaryFile() as said:
            self._process = _start(wall, box, theirs, said)
            self._end = weakref.finalize(self, _end, self._control, self._process)
            try:
                self._answer("ready", _START_SECONDS)
            except HarnessError as error:
                self.close()
                said.seek(0)
                words = said.read().decode(errors="replace").strip()[-2000:]
                raise HarnessError(f"{error}: {words}" if words else str(error)) from error

    @property
    def alive(self) -> bool:
        return self._end.alive and self._process.poll() is None

    def close(self) -> None:
        """End it and, with it, every worker."""
        self._end()

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
        self._ask("fork", facts, (channel, output))
        reply = self._answer("forked")
        inner = int(reply.facts["pid"])
        return Forked(inner, _number_here(reply.descriptors, inner))

    def reap(self, worker: Forked, patience_seconds: float) -> int:
        """How it ended, after killing it unless it ends in time; negative for a signal.

        Raises:
            HarnessError: the zygote is gone.
        """
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
        assert frame.kind == kind, frame.kind
        return frame


def _start(wall: Wall, box: Path, theirs: socket.socket, said: BinaryIO) -> subprocess.Popen[bytes]:
    settings = json.dumps({"control": theirs.fileno(), "uid": wall.user, **wall.locks(box)})
    command = wall.command([sys.executable, "-I", "-c", _BOOT, settings], box, dict(ENVIRONMENT))
    try:
        return subprocess.Popen(  # noqa: S603 - our own words
            command,
            cwd="/",
            env=dict(ENVIRONMENT),
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            # Neither Ctrl-C nor a terminal's hang-up is the zygote's business: it ends when our socket closes.
            start_new_session=True,
        )
    except OSError as error:
        raise HarnessError(f"the process that starts workers cannot be started: {error}") from error
    finally:
        theirs.close()


def _end(control: socket.socket, process: subprocess.Popen[bytes]) -> None:
    control.close()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _number_here(descriptors: Sequence[int], inner: int) -> int:
    """The process's number in our own namespace, which only its descriptor knows (`man 2 pidfd_open`)."""
    for each in descriptors:
        try:
            found = re.search(r"^Pid:\s+(\d+)$", Path(f"/proc/self/fdinfo/{each}").read_text(), re.MULTILINE)
        finally:
            os.close(each)
        if found:
            return int(found[1])
    return inner
