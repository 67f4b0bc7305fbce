"""Confine student code.

Theory of operation. Everything a student wrote runs in workers, forked from a zygote (`harness.worker`) that has torch
in it. The grader has one for each submission that is graded at a time, all of one mother who imported torch once, each
behind a wall of its own. It talks to their workers over sockets (`harness.worker.protocol`), watches clock and memory
from outside, and kills what exceeds them. What is judged is computed in the grader from raw tensors; labels, reference
values, other submissions and the store are out of a worker's reach. Before the first submission a worker tries what is
forbidden (`selftest`): a wall that does not hold is not used; one that held is not tried again before something changes
(`remembered`).

    bwrap       bubblewrap's namespaces around the zygote; Landlock and a system-call filter on each worker
    landlock    Landlock and the filter alone, where namespaces are refused
    none        no wall: for a student's own machine
"""

from __future__ import annotations

from functools import cache
from typing import assert_never

from harness.errors import SandboxUnavailable, UsageError
from harness.sandbox import remembered
from harness.sandbox.boxes import Box, Sandbox, require_forks
from harness.sandbox.bwrap import bubblewrap_wall
from harness.sandbox.process import Usage, Worker
from harness.sandbox.walls import NoWall, Wall, landlock_wall
from harness.vocabulary import SANDBOXES, WALLS, WallName

__all__ = ["Box", "Sandbox", "Usage", "Worker", "choose", "describe", "for_check"]

_STRONGEST_FIRST: tuple[WallName, ...] = ("bwrap", "landlock")


def choose(name: str) -> Sandbox:
    """The sandbox of that name; `auto` is the strongest that works here and never `none`.

    Raises:
        UsageError: no such sandbox.
        SandboxUnavailable: it does not work here; the text says what to enable.
    """
    match name:
        case "auto":
            return _strongest()
        case "bwrap" | "landlock" | "none":
            return _tested(name)
        case _:
            raise UsageError(f"unknown sandbox {name!r}; there are {', '.join(SANDBOXES)}")


def for_check() -> Sandbox:
    """What `check` uses by default: a student's own code on the student's own machine may go without a wall."""
    try:
        return choose("auto")
    except SandboxUnavailable:
        return choose("none")


def describe() -> list[tuple[str, bool, str]]:
    """For `harness doctor`: each sandbox, whether it works here now, and what it promises or what to enable."""
    return [_described(name) for name in WALLS]


def _described(name: WallName) -> tuple[str, bool, str]:
    try:
        if name != "none":
            _test(_sandbox(name))
        return name, True, _sandbox(name).wall.promises
    except SandboxUnavailable as error:
        return name, False, str(error)


def _strongest() -> Sandbox:
    require_forks()
    complaints = []
    for name in _STRONGEST_FIRST:
        try:
            return _tested(name)
        except SandboxUnavailable as error:
            complaints.append(f"  {name}: {error}")
    raise SandboxUnavailable(
        "\n".join(["no sandbox works here:", *complaints, "or choose --sandbox none and trust every submission"])
    )


# One of each for the whole process: it keeps its zygotes, and the self-test is run once.
@cache
def _tested(name: WallName) -> Sandbox:
    if name != "none":
        require_forks()
    sandbox = _sandbox(name)
    if name != "none" and not remembered.holds(sandbox.wall):
        _test(sandbox)
    return sandbox


@cache
def _sandbox(name: WallName) -> Sandbox:
    return Sandbox(_wall(name))


def _test(sandbox: Sandbox) -> None:
    from harness.sandbox.selftest import refuse_unless_it_holds  # seldom needed, and a tenth of all imports here

    try:
        refuse_unless_it_holds(sandbox)
    except SandboxUnavailable:
        remembered.forget(sandbox.wall)
        raise
    remembered.keep(sandbox.wall)


def _wall(name: WallName) -> Wall:
    match name:
        case "bwrap":
            return bubblewrap_wall()
        case "landlock":
            return landlock_wall()
        case "none":
            return NoWall()
        case _:
            assert_never(name)
