"""Everything the harness raises on purpose.

    HarnessError
    ├── UsageError            the command line or a call asks for something impossible        exit 2
    │   └── FileError         a file the instructor wrote has mistakes; all are listed       exit 2
    │       ├── AssignmentError   an assignment file, or the data it names
    │       └── TableError        a roster or a table of points
    ├── PluginError           an installed plugin is broken, missing or doubled               exit 2
    ├── SandboxUnavailable    this machine cannot confine student code                        exit 3
    ├── MachineError          the grader's machine lacks space, memory or rights
    ├── Cancelled             the run was stopped while a submission was being graded
    ├── OnlyAtHome            what was asked for is there where hand-ins are, and a network is measured elsewhere
    ├── Unreachable           nobody elsewhere answers; what was asked is done here instead
    └── SubmissionError       what was handed in cannot be used; carries the closed `status`

A `SubmissionError` is an outcome, not an accident: grading turns it into a result. Anything else that escapes while
one submission is graded becomes the status `harness_error`, which is our fault and never a zero.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass

from harness.vocabulary import FailureStatus


class HarnessError(Exception):
    """Base of all errors below; its text is meant for the person at the terminal."""


class UsageError(HarnessError):
    """The request cannot be carried out as given."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a file: where (dotted path of the key), what, and what to do next."""

    where: str
    what: str
    line: int | None = None
    """From 1, where it is known."""
    row: str = ""
    """What the row of a table is called, such as 'points "tier 2"'."""

    def __str__(self) -> str:
        line = f"line {self.line}" if self.line is not None else ""
        place = ", ".join(filter(None, (line, self.row, self.where)))
        return f"{place}: {self.what}" if place else self.what


class FileError(UsageError):
    """All mistakes of one file at once.

    Args:
        source: the file, as the user named it.
        problems: at least one.
    """

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        count = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        super().__init__("\n".join([f"{source}: {count}", *(f"  {problem}" for problem in problems)]))


class AssignmentError(FileError):
    """An assignment file, or the data it names, has mistakes."""


class TableError(FileError):
    """A roster or a table of points has mistakes."""


class PluginError(HarnessError):
    """A plugin is missing, broken, or two of them claim one name; the text names the plugin."""


class SandboxUnavailable(HarnessError):
    """No way to confine student code here; the text says what to enable."""


class MachineError(HarnessError):
    """The machine that grades failed: its disk is full, too many files are open, something may not be read."""


_MACHINES = frozenset(
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EMFILE", "ENFILE", "EIO", "ENOMEM", "EROFS", "EACCES", "EPERM", "EAGAIN")
    if hasattr(errno, name)
)


_SAID = {
    "failed to map segment from shared object": "it has no memory left",
    "cannot allocate memory": "it has no memory left",
    "can't start new thread": "it starts no more threads",
}
"""What loaders of libraries and Python's own threads say instead of a number, and what it means."""


def of_machine(error: BaseException) -> MachineError | None:
    """The error as the machine's, if it is; such an error never tells anything about what was handed in."""
    if isinstance(error, MachineError):
        return error
    if isinstance(error, MemoryError):
        return MachineError("it has no memory left")
    if isinstance(error, OSError) and error.errno is not None and error.errno in _MACHINES:
        return MachineError(os.strerror(error.errno))
    if isinstance(error, ImportError | RuntimeError):
        return next((MachineError(means) for said, means in _SAID.items() if said in str(error)), None)
    return None


class Cancelled(HarnessError):
    """The run was stopped; what was going on has no outcome."""


class OnlyAtHome(HarnessError):
    """A network is measured without its hand-in, and something was asked for that only the hand-in has."""


class Unreachable(HarnessError):
    """Those who measure elsewhere give no answer; the text says why."""


class SubmissionError(HarnessError):
    """A submission cannot be used as handed in, or failed while it ran.

    Args:
        status: how it failed; a closed vocabulary.
        reason: what happened and where, in words a student understands.
        hint: what to change, if we know.
        said: the same in the words of the process that ran the submission, for the instructor; absent: `reason`.
    """

    def __init__(self, status: FailureStatus, reason: str, hint: str | None = None, *, said: str | None = None) -> None:
        super().__init__(reason)
        self.status: FailureStatus = status
        self.reason = reason
        self.hint = hint
        self.said = reason if said is None else said

    def __reduce__(self) -> tuple[type[SubmissionError], tuple[FailureStatus, str, str | None]]:
        return type(self), (self.status, self.reason, self.hint)

    @classmethod
    def rejected(cls, reason: str, hint: str | None = None) -> SubmissionError:
        """It is unusable as handed in."""
        return cls("rejected", reason, hint)
