"""Apply one function to many values, on every CPU that this process may use."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

Value = TypeVar("Value")
Made = TypeVar("Made")

_MIN_VALUES_TO_FORK = 300
"""Fewer values are not worth a process."""
_PROCESSES = 8
"""More are not kept busy by the one that takes what they make."""


def usable_cpus() -> int:
    """CPUs this process may run on, and may use in full under a container's quota (cgroup v2)."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return max(1, min(allowed, int(quota) // int(period)))
    except (OSError, ValueError):  # no cgroup v2, or the quota is "max"
        return allowed


def mapped(work: Callable[[Value], Made], values: Sequence[Value], *, processes: int | None = None) -> Iterator[Made]:
    """What `work` makes of each value, in their order; little of it is held at a time.

    Many values are shared out among forked processes. Those know `work` and the values as they are here, so that only
    what they make has to be pickled.

    Args:
        work: the same in every process: what it changes elsewhere is lost.
        processes: how many; None: one for each usable CPU, up to eight.
    """
    number = min(usable_cpus(), _PROCESSES) if processes is None else processes
    if number == 1 or len(values) < _MIN_VALUES_TO_FORK or not _may_fork():
        return map(work, values)
    return _shared_out(work, values, number)


def _may_fork() -> bool:
    """Not beside threads, and macOS always has some: a fork inherits the locks they hold and none to release them."""
    return sys.platform == "linux" and threading.active_count() == 1


def _shared_out(work: Callable[[Value], Made], values: Sequence[Value], number: int) -> Iterator[Made]:
    with ExitStack() as stack:
        ways = [stack.enter_context(_process(work, values[first::number])) for first in range(number)]
        for index, value in enumerate(values):
            try:
                made: Made = ways[index % number].recv()
            except (EOFError, OSError):
                # That process failed or was killed. Here a mistake is seen, and anything else passes.
                made = work(value)
            yield made


@contextmanager
def _process(work: Callable[[Value], Made], values: Sequence[Value]) -> Iterator[Connection]:
    """A process of its own, and where what it makes comes from, one value after the other."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(sender, work, values), daemon=True)
    with receiver:
        with sender, warnings.catch_warnings():
            # Python 3.12 warns of every thread, but those of NumPy's libraries know what to do at a fork.
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
        try:
            yield receiver
        finally:
            process.terminate()
            process.join()


def _serve(sender: Connection, work: Callable[[Value], Made], values: Sequence[Value]) -> None:
    # An interrupt is for the process that started this one, which then ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Nothing that was inherited becomes garbage; looking through it would copy all of its memory.
    gc.freeze()
    with sender, suppress(Exception):
        for value in values:
            sender.send(work(value))
