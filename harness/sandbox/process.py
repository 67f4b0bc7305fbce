"""Run a worker, seen from the grader: ask it something, watch it, kill it."""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psutil

from harness.errors import Cancelled, HarnessError, SubmissionError
from harness.sandbox.zygote import Forked, Zygote
from harness.worker.protocol import BrokenFrame, ChannelClosed, ChannelTimeout, Frame, receive, send

if TYPE_CHECKING:
    from torch import Tensor

    from harness.values.rules import Limits

_PRINTED_BYTES = 64 * 2**10
_WATCH_SECONDS = 0.05
_LAST_WORDS_SECONDS = 5.0
_TREE_SECONDS = 0.5
_PAGE_BYTES, _TICKS = (os.sysconf(name) if hasattr(os, "sysconf") else 1 for name in ("SC_PAGE_SIZE", "SC_CLK_TCK"))


@dataclass(frozen=True, slots=True)
class Usage:
    """What one worker may use."""

    memory_bytes: int
    """Resident, of its whole process tree, beyond what each process has of its zygote: PyTorch takes a few hundred
    megabytes, or gigabytes where it is built for GPUs. Its address space is bounded too."""
    cpu_seconds: int
    """Processor time over its whole life."""
    threads: int
    total_seconds: float = math.inf
    """Of everything that is done with its submission, in however many workers."""

    @classmethod
    def within(cls, limits: Limits) -> Usage:
        """What an assignment allows."""
        return cls(limits.memory_bytes, limits.cpu_seconds, limits.threads, limits.total_seconds)


class Refusal(SubmissionError):
    """A failure in the words of the worker itself."""

    plugin = False
    """Whether it blames a plugin; a claim like all it says."""


class Worker:
    """One worker process for one submission.

    Args:
        folder: the staged submission, in the zygote's box.
        stopping: set from any thread to end whatever the worker does.
        until: on the clock of `time.monotonic()`, when the submission's `total_seconds` are over.

    Raises:
        HarnessError: it cannot be started, which is never a student's fault.
    """

    def __init__(
        self, zygote: Zygote, folder: Path, usage: Usage, stopping: threading.Event, *, until: float = math.inf
    ) -> None:
        self._zygote, self._usage, self._stopping, self._until = zygote, usage, stopping, until
        self._printed = bytearray()
        self._overrun: SubmissionError | None = None
        self._code: int | None = None
        self._closed = threading.Event()
        self._channel, theirs = socket.socketpair()
        output, their_output = os.pipe()
        self._inherited_bytes = zygote.resident_bytes
        try:
            self._process = zygote.fork(
                folder,
                memory_bytes=usage.memory_bytes,
                cpu_seconds=usage.cpu_seconds,
                channel=theirs.fileno(),
                output=their_output,
            )
        except HarnessError:
            self._channel.close()
            os.close(output)
            raise
        finally:
            theirs.close()
            os.close(their_output)
        # A thread of its own: student code may have left something behind that eats memory between requests.
        self._watcher = threading.Thread(target=self._watch, args=(output,), daemon=True)
        self._watcher.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether it can be asked; one that had to be stopped can, and answers with the reason."""
        return self._overrun is not None or (self._code is None and _exists(self._process.pid))

    @property
    def printed(self) -> str:
        """What the worker wrote to its standard output and error so far, capped."""
        return self._printed.decode(errors="replace")

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
    ) -> Frame:
        """Send a request and wait for its answer; on any failure the worker is killed.

        Args:
            doing: what the student's code does meanwhile, for messages: "importing model.py".

        Raises:
            SubmissionError: refused by the worker, crashed, timed out or out of memory.
            Cancelled: `stopping` was set.
        """
        if self._overrun is not None:
            raise self._overrun
        deadline = min(time.monotonic() + limit_seconds, self._until)
        try:
            send(self._channel, request, facts, tensors, descriptors, deadline=deadline, tick=self._look_up)
            frame = receive(self._channel, max_payload_bytes=max_reply_bytes, deadline=deadline, tick=self._look_up)
        except ChannelTimeout:
            self.close()
            if deadline == self._until:
                raise out_of_time(self._usage.total_seconds) from None
            raise SubmissionError(
                "timed_out",
                f"stopped after {limit_seconds:g} s while {doing}",
                "is there an endless loop, training code or a download?",
            ) from None
        except ChannelClosed:
            self._reap(_LAST_WORDS_SECONDS)
            raise self._overrun or self._death(doing) from None
        except BrokenFrame as error:
            self.close()
            raise SubmissionError("crashed", f"the process wrote over its own answers while {doing}: {error}") from None
        except Cancelled:
            self.close()
            raise
        if frame.kind == "failed":
            raise _refusal(frame.facts)
        return frame

    def close(self) -> None:
        """Kill the worker and whatever it started, and wait for it."""
        self._reap(0)

    def _reap(self, patience_seconds: float) -> None:
        if self._code is not None:
            return
        if not patience_seconds:
            _kill(self._process)
        try:
            self._code = self._zygote.reap(self._process, patience_seconds)
        except HarnessError:
            # Without its zygote a worker dies at once, and nothing more can be learnt.
            self._zygote.close()
            self._code = -signal.SIGKILL
        self._channel.close()
        self._closed.set()
        self._watcher.join()

    def _look_up(self) -> None:
        if self._stopping.is_set():
            raise Cancelled("the run was stopped")

    def _watch(self, output: int) -> None:
        """Keep what the worker prints and count what it uses, until it is closed."""
        tree, speaking, looked_at = _Tree(self._process.pid, self._inherited_bytes), True, 0.0
        while not self._closed.wait(0 if speaking else _WATCH_SECONDS):
            if speaking and select.select([output], [], [], _WATCH_SECONDS)[0]:
                speaking = self._keep(output)
            if time.monotonic() - looked_at >= _WATCH_SECONDS and self._overrun is None:
                looked_at = time.monotonic()
                self._overrun = _overrun(tree, self._usage)
                if self._overrun is not None:
                    tree.kill()
        tree.kill()
        # What was still on its way when the worker ended; a writer that survived it is not waited for.
        os.set_blocking(output, False)
        with contextlib.suppress(BlockingIOError):
            while self._keep(output):
                pass
        os.close(output)

    def _keep(self, output: int) -> bool:
        chunk = os.read(output, 2**16)
        self._printed += chunk[: max(0, _PRINTED_BYTES - len(self._printed))]
        return bool(chunk)

    def _death(self, doing: str) -> SubmissionError:
        match self._code:
            case None | 0:
                how = "the process ended"
            case negative if negative < 0:
                how = f"the process was killed by {_signal(-negative)}"
            case code:
                how = f"the process ended with exit code {code}"
        return SubmissionError("crashed", f"{how} while {doing}", "run it at home with 'harness check' to see where")


def out_of_time(total_seconds: float) -> SubmissionError:
    """What is said of a submission that keeps within every limit but that of all together."""
    return SubmissionError(
        "timed_out",
        f"stopped after {total_seconds:g} s in all",
        "each step kept within its own limit, but all of them together take too long: is the network slow?",
    )


def _overrun(tree: _Tree, usage: Usage) -> SubmissionError | None:
    used, threads, cpu_seconds = tree.use()
    if used > usage.memory_bytes:
        return SubmissionError(
            "out_of_memory",
            f"stopped at {used / 2**20:,.0f} MiB of memory; the limit is {usage.memory_bytes / 2**20:,.0f} MiB",
            "is a data set loaded, or a tensor far larger than the network needs?",
        )
    if cpu_seconds > usage.cpu_seconds:
        return SubmissionError(
            "timed_out",
            f"stopped after {usage.cpu_seconds:,} s of processor time in all",
            "does it compute on many threads, or in the background?",
        )
    if threads > usage.threads:
        return SubmissionError(
            "crashed",
            f"stopped at {threads:,} threads; the limit is {usage.threads:,}",
            "the harness gives each submission one processor: leave torch's number of threads alone",
        )
    return None


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"


def _exists(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _kill(process: Forked) -> None:
    # The number cannot have gone to another process: its zygote waits for it only when we say so.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process.pid, signal.SIGKILL)


def _refusal(facts: Mapping[str, Any]) -> SubmissionError:
    """The worker's own account of a failure: it may say what it likes, it can only fail itself."""
    status, hint = facts.get("status"), facts.get("hint")
    told = str(facts.get("reason"))[:2000], None if hint is None else str(hint)[:2000]
    refusal = Refusal(status if status in ("rejected", "crashed", "out_of_memory") else "crashed", *told)
    refusal.plugin = facts.get("plugin") is True
    return refusal


class _Tree:
    """A process and what it started; the tree is looked up anew twice a second, its members read every time."""

    def __init__(self, pid: int, inherited_bytes: int = 0) -> None:
        self._root, self._inherited_bytes = pid, inherited_bytes
        self._members = [pid]
        self._looked_at = time.monotonic()

    def use(self) -> tuple[int, int, float]:
        """Resident bytes beyond what was inherited, threads, and seconds of processor time."""
        if time.monotonic() - self._looked_at >= _TREE_SECONDS:
            self._look()
        used, threads, seconds = 0, 0, 0.0
        for member in self._members:
            with contextlib.suppress(OSError, psutil.Error):
                resident, its_threads, its_seconds = _use_of(member)
                used += max(0, resident - self._inherited_bytes)
                threads += its_threads
                seconds += its_seconds
        return used, threads, seconds

    def kill(self) -> None:
        self._look()
        for member in reversed(self._members):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(member, signal.SIGKILL)

    def _look(self) -> None:
        self._looked_at = time.monotonic()
        self._members = _tree(self._root)


def _use_of(pid: int) -> tuple[int, int, float]:
    """Resident bytes, threads, and seconds of processor time of one process.

    Asked twenty times a second for each worker: one file of a known format (`man 5 proc_pid_stat`), where there is one,
    costs a tenth of what psutil reads.
    """
    if sys.platform != "linux":
        process = psutil.Process(pid)
        times = process.cpu_times()
        return process.memory_info().rss, process.num_threads(), times.user + times.system
    # The name, in parentheses, may be anything.
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return int(fields[21]) * _PAGE_BYTES, int(fields[17]), ticks / _TICKS


def _tree(pid: int) -> list[int]:
    """A process and its descendants, parents first."""
    if not Path(f"/proc/self/task/{os.getpid()}/children").is_file():
        with contextlib.suppress(psutil.Error):
            return [pid, *(each.pid for each in psutil.Process(pid).children(recursive=True))]
        return [pid]
    found = [pid]
    for each in found:
        with contextlib.suppress(OSError):  # it may end at any moment
            for listed in Path(f"/proc/{each}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    found += map(int, listed.read_text().split())
    return found
