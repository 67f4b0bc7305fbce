"""A running worker, seen from the grader: ask it something, watch it, kill it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import psutil

from harness.api import Reply
from harness.errors import Cancelled, HarnessError, SubmissionError
from harness.protocol import BrokenFrame, ChannelClosed, ChannelTimeout, receive, send

if TYPE_CHECKING:
    from torch import Tensor

_PRINTED_BYTES = 64 * 2**10
_BOOT = "from harness.worker import main; main({descriptor}, {memory_bytes})"
_START_SECONDS = 60.0
_WATCH_SECONDS = 0.05
_LAST_SIGNAL = 64
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108 - inside the sandbox a private one
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "MPLBACKEND": "agg",
    # Page faults of big temporaries are half the run time with glibc's defaults: keep freed memory.
    "GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=4294967296",
}


class Sandbox(Protocol):
    """A way to run a worker; every backend passes the same hostile tests."""

    @property
    def name(self) -> str: ...

    def command(self, argv: Sequence[str], submission: Path, environment: dict[str, str]) -> list[str]: ...

    def folder(self, submission: Path) -> Path: ...


@dataclass(frozen=True)
class NoSandbox:
    """No wall: the student's code runs as the user who grades. Clock and memory are still watched."""

    name: str = "none"

    def command(self, argv: Sequence[str], submission: Path, environment: dict[str, str]) -> list[str]:  # noqa: ARG002
        return list(argv)

    def folder(self, submission: Path) -> Path:
        return submission


class Worker:
    """One worker process for one submission.

    Args:
        submission: the staged folder it may read.
        memory_bytes: of resident memory for its whole process tree; its address space is bounded too.
        stopping: set from any thread to end whatever the worker does.
    """

    def __init__(self, sandbox: Sandbox, submission: Path, *, memory_bytes: int, stopping: threading.Event) -> None:
        self._memory_bytes = memory_bytes
        self._stopping = stopping
        self._channel, theirs = socket.socketpair()
        self._printed = bytearray()
        self._process = _start(sandbox, submission, theirs, memory_bytes)
        self._reader = threading.Thread(target=self._read_prints, daemon=True)
        self._reader.start()
        self._watched = _Watched(self._process.pid)
        self._overrun: SubmissionError | None = None
        self._closed = threading.Event()
        # A thread of its own: student code may have left something behind that eats memory between requests.
        self._watcher = threading.Thread(target=self._watch_memory, daemon=True)
        self._watcher.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether it can be asked; one that had to be stopped can, and answers with the reason."""
        return self._overrun is not None or self._process.poll() is None

    @property
    def printed(self) -> str:
        """What the worker wrote to its standard output and error so far, capped."""
        return self._printed.decode(errors="replace")

    def wait_until_ready(self) -> None:
        """Wait for the worker's greeting, sent after it imported torch and before it saw anything of the student's.

        Raises:
            HarnessError: it did not come up, which is never the student's fault.
        """
        try:
            receive(self._channel, max_payload_bytes=0, deadline=time.monotonic() + _START_SECONDS)
        except (ChannelClosed, ChannelTimeout, BrokenFrame) as error:
            self.close()
            raise HarnessError(
                f"the sandboxed worker did not start ({error}): {self.printed.strip()[-2000:]}"
            ) from error

    def ask(
        self,
        request: str,
        facts: Mapping[str, Any],
        tensors: Mapping[str, Tensor],
        *,
        limit_seconds: float,
        max_reply_bytes: int,
        doing: str,
        descriptors: Sequence[int] = (),
    ) -> Reply:
        """Send a request and wait for its answer; on any failure the worker is killed.

        Args:
            doing: what the student's code does meanwhile, for messages: "importing model.py".

        Raises:
            SubmissionError: refused by the worker, crashed, timed out or out of memory.
            Cancelled: `stopping` was set.
        """
        if self._overrun is not None:
            raise self._overrun
        self._channel.settimeout(limit_seconds)
        try:
            send(self._channel, request, facts, tensors, descriptors)
            deadline = time.monotonic() + limit_seconds
            frame = receive(self._channel, max_payload_bytes=max_reply_bytes, deadline=deadline, tick=self._look_up)
        except ChannelTimeout:
            self.close()
            raise SubmissionError(
                "timed_out",
                f"stopped after {limit_seconds:g} s while {doing}",
                "is there an endless loop, training code or a download?",
            ) from None
        except ChannelClosed:
            raise self._overrun or self._death(doing) from None
        except BrokenFrame as error:
            self.close()
            raise SubmissionError("crashed", f"the process wrote over its own answers while {doing}: {error}") from None
        except Cancelled:
            self.close()
            raise
        if frame.kind == "failed":
            raise _refusal(frame.facts)
        return Reply(frame.facts, frame.tensors)

    def close(self) -> None:
        """Kill the worker's whole process tree and wait for it."""
        self._closed.set()
        self._watcher.join()
        self._kill()
        self._process.wait()
        self._channel.close()
        self._reader.join(timeout=5)

    def _kill(self) -> None:
        self._watched.kill()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()

    def _look_up(self) -> None:
        if self._stopping.is_set():
            raise Cancelled("the run was stopped")

    def _watch_memory(self) -> None:
        while not self._closed.wait(_WATCH_SECONDS):
            used = self._watched.resident_bytes()
            if used > self._memory_bytes:
                self._overrun = SubmissionError(
                    "out_of_memory",
                    f"stopped at {used / 2**20:,.0f} MiB of memory; the limit is {self._memory_bytes / 2**20:,.0f} MiB",
                    "is a data set loaded, or a tensor far larger than the network needs?",
                )
                self._kill()
                return

    def _death(self, doing: str) -> SubmissionError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        code = self._process.poll()
        self.close()
        match code:
            case None | 0:
                how = "the process ended"
            case negative if negative < 0:
                how = f"the process was killed by {_signal(-negative)}"
            case beyond if 128 < beyond <= 128 + _LAST_SIGNAL:  # as bubblewrap reports it
                how = f"the process was killed by {_signal(beyond - 128)}"
            case _:
                how = f"the process ended with exit code {code}"
        return SubmissionError("crashed", f"{how} while {doing}", "run it at home with 'harness check' to see where")

    def _read_prints(self) -> None:
        assert self._process.stdout is not None
        while chunk := self._process.stdout.read(2**16):
            self._printed += chunk[: max(0, _PRINTED_BYTES - len(self._printed))]
        self._process.stdout.close()


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"


def _start(sandbox: Sandbox, submission: Path, theirs: socket.socket, memory_bytes: int) -> subprocess.Popen[bytes]:
    boot = _BOOT.format(descriptor=theirs.fileno(), memory_bytes=memory_bytes)
    command = sandbox.command([sys.executable, "-I", "-c", boot], submission, dict(_ENVIRONMENT))
    try:
        return subprocess.Popen(  # noqa: S603 - our own words
            command,
            cwd=sandbox.folder(submission) if sandbox.folder(submission).is_dir() else None,
            env=dict(_ENVIRONMENT),
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            bufsize=0,
        )
    finally:
        theirs.close()


def _refusal(facts: Mapping[str, Any]) -> SubmissionError:
    """The worker's own account of a failure: it may say what it likes, it can only fail itself."""
    status = facts.get("status")
    hint = facts.get("hint")
    return SubmissionError(
        status if status in ("rejected", "crashed", "out_of_memory") else "crashed",
        str(facts.get("reason"))[:2000],
        str(hint)[:2000] if hint is not None else None,
    )


class _Watched:
    """Resident memory of a process tree; the tree is looked up anew twice a second, its members read every time."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._tree: list[psutil.Process] = []
        self._looked_at = 0.0

    def resident_bytes(self) -> int:
        self._look()
        total = 0
        for process in self._tree:
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
        return total

    def kill(self) -> None:
        self._looked_at = 0.0
        self._look()
        for process in reversed(self._tree):
            with contextlib.suppress(psutil.Error):
                process.kill()

    def _look(self) -> None:
        if time.monotonic() - self._looked_at < 0.5:
            return
        self._looked_at = time.monotonic()
        with contextlib.suppress(psutil.Error):
            self._tree = [self._root, *self._root.children(recursive=True)]
