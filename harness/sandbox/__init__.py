"""Confining student code.

Theory of operation. One worker process per submission runs everything a student wrote. The grader starts it behind a
wall (`bwrap`: no network, no other processes, a read-only view of Python and of that one submission), talks to it over
a single socket (`harness.protocol`), watches its clock and its memory from outside, and kills its whole process tree.
What is judged is computed in the grader from raw tensors; labels, reference values, other submissions and the store are
not mounted. `none` gives up the wall and keeps the rest: it is for a student's own machine.
"""

from __future__ import annotations

import sys
from typing import Literal, get_args

from harness.errors import SandboxUnavailable, UsageError
from harness.sandbox.bwrap import Bubblewrap, find_bubblewrap
from harness.sandbox.process import NoSandbox, Sandbox, Worker

__all__ = ["NAMES", "NoSandbox", "Sandbox", "SandboxName", "Worker", "choose", "describe"]

SandboxName = Literal["auto", "bwrap", "none"]
NAMES: tuple[str, ...] = get_args(SandboxName)


def choose(name: str) -> Sandbox:
    """The sandbox of that name; `auto` is the strongest that works here and never `none`.

    Raises:
        UsageError: no such sandbox.
        SandboxUnavailable: it does not work here; the text says what to enable.
    """
    match name:
        case "none":
            return NoSandbox()
        case "auto" | "bwrap":
            return Bubblewrap(find_bubblewrap())
        case _:
            raise UsageError(f"unknown sandbox {name!r}; there are {', '.join(NAMES)}")


def for_check() -> Sandbox:
    """What `check` uses by default: a student's own code on the student's own machine may go without a wall."""
    try:
        return choose("auto")
    except SandboxUnavailable:
        return NoSandbox()


def describe() -> list[tuple[str, bool, str]]:
    """For `harness doctor`: each sandbox, whether it works here, and what it promises or what to enable."""
    try:
        path = find_bubblewrap()
    except SandboxUnavailable as error:
        bwrap = ("bwrap", False, str(error))
    else:
        bwrap = ("bwrap", True, f"{path}: no network, no other processes, read-only view of one submission")
    return [bwrap, ("none", True, f"explicit choice only: limits on {sys.platform}, but no wall")]
