"""Define closed vocabularies: sandboxes, statuses, exit codes, with their phrases; and the default store.

Each is written here once and nowhere else. Only the standard library is imported, so that the command line can list
them without waiting for anything.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Literal, assert_never, get_args

WallName = Literal["bwrap", "landlock", "none"]
"""What can stand around student code; docs/sandbox.md says what each promises."""
WALLS: tuple[WallName, ...] = get_args(WallName)

SandboxName = Literal["auto", WallName]
"""What `--sandbox` takes: a wall, or the strongest that works."""
SANDBOXES: tuple[SandboxName, ...] = ("auto", *WALLS)

DeviceName = Literal["cpu", "cuda"]
"""Where verified networks can be measured."""
DEVICES: tuple[DeviceName, ...] = get_args(DeviceName)

FailureStatus = Literal["rejected", "crashed", "timed_out", "out_of_memory"]
"""How a submission can fail."""

Status = Literal["graded", FailureStatus, "harness_error"]
"""What became of a submission."""
STATUSES: tuple[Status, ...] = ("graded", *get_args(FailureStatus), "harness_error")

DEFAULT_STORE = "sqlite:///harness.db"
"""In the current folder."""


class ExitCode(IntEnum):
    """How the program ends."""

    DONE = 0
    NOT_PASSED = 1
    USAGE = 2
    NO_SANDBOX = 3
    BUG = 70
    INTERRUPTED = 130


def describe_status(status: Status) -> str:
    """A status in a few words for everyone."""
    match status:
        case "graded":
            return "graded"
        case "rejected":
            return "cannot be used as handed in"
        case "crashed":
            return "its code failed"
        case "timed_out":
            return "took too long"
        case "out_of_memory":
            return "needed too much memory"
        case "harness_error":
            return "not graded yet: the harness itself failed, which is not the submission's fault"
        case _:
            assert_never(status)


def describe_exit(code: ExitCode) -> str:
    """What an exit code says, in a few words."""
    match code:
        case ExitCode.DONE:
            return "done"
        case ExitCode.NOT_PASSED:
            return "done, but something did not pass (check), could not be graded (grade) or is missing (doctor)"
        case ExitCode.USAGE:
            return "wrong usage, a mistake in an assignment or its data, or a broken plugin"
        case ExitCode.NO_SANDBOX:
            return "no sandbox works on this machine"
        case ExitCode.BUG:
            return "a mistake in the harness itself, with a traceback"
        case ExitCode.INTERRUPTED:
            return "stopped with Ctrl-C, and what was finished is kept"
        case _:
            assert_never(code)


def exit_codes() -> str:
    """All of them in one sentence."""
    return "; ".join(f"{code:d} {describe_exit(code)}" for code in ExitCode)
