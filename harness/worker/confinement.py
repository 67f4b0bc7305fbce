"""Confine a freshly forked worker, before it sees anything of a student's, in the order that works.

Descriptors first, because no later lock closes what is open; the system-call filter last, because it forbids the calls
that set up the rest.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.worker import kernel

_OPEN_FILES = 64
_FILE_BYTES = 64 * 2**20
# Address space is not memory, which is watched from outside; this much more than that, beyond what torch has mapped.
_ADDRESS_SPACE_BYTES = 2**30
_CPU_GRACE_SECONDS = 5
DEVICES = tuple(map(Path, ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")))


@dataclass(frozen=True, slots=True)
class Locks:
    """Which locks a zygote puts on its workers; made once, before the first fork."""

    landlock: int | None
    """Descriptor of the rules, or None."""
    seccomp: bytes | None
    """The compiled program, or None."""
    capabilities: int = 0
    """Those that stay, see `kernel.capabilities`."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one worker may use."""

    memory_bytes: int
    cpu_seconds: int


def lock(locks: Locks, bounds: Bounds, *, parent: int, output: int, keep: Collection[int]) -> None:
    """Confine this process, for ever.

    Args:
        parent: process id of the zygote.
        output: descriptor that becomes standard output and error.
        keep: descriptors that stay open beside the three standard ones.
    """
    os.setsid()
    _descriptors(output, keep, locks.landlock)
    _limit(bounds)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")
        kernel.capabilities(locks.capabilities)
        kernel.no_new_privileges()
        kernel.undumpable()
        kernel.die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # the zygote ended before it could be noticed
    if locks.landlock is not None:
        kernel.landlock(locks.landlock)
        os.close(locks.landlock)
    if locks.seccomp is not None:
        kernel.install_filter(locks.seccomp)


def _descriptors(output: int, keep: Collection[int], rules: int | None) -> None:
    silent = os.open(os.devnull, os.O_RDONLY)
    for number, source in ((0, silent), (1, output), (2, output)):
        os.dup2(source, number)
    kept = sorted({*keep, *(() if rules is None else (rules,))})
    start = 3
    for each in kept:
        os.closerange(start, each)
        start = each + 1
    os.closerange(start, os.sysconf("SC_OPEN_MAX"))


def _limit(bounds: Bounds) -> None:
    """Bounds that hold for this process and its children; they cannot be raised again."""
    limits: dict[Any, int] = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_FSIZE: _FILE_BYTES,
        # The grader counts too, and says so in words; this is for the case that it cannot.
        resource.RLIMIT_CPU: bounds.cpu_seconds + _CPU_GRACE_SECONDS,
    }
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        mapped = pages * os.sysconf("SC_PAGE_SIZE")
        limits[resource.RLIMIT_AS] = mapped + bounds.memory_bytes + _ADDRESS_SPACE_BYTES
    for which, value in limits.items():
        with contextlib.suppress(ValueError):
            resource.setrlimit(which, (value, value))
