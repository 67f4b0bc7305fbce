"""Define executors: where verified networks are measured, if not beside the grader."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

SharedT = TypeVar("SharedT")
TaskT = TypeVar("TaskT")
FoundT = TypeVar("FoundT")


class Crew(Protocol):
    """Processes elsewhere that have the same software as this one. Called from several threads at once."""

    @property
    def size(self) -> int:
        """How many tasks they work on at once."""

    def ask(
        self,
        work: Callable[[SharedT, TaskT], FoundT],
        shared: SharedT,
        task: TaskT,
        stopping: threading.Event,
    ) -> FoundT:
        """What `work` makes of these, in one of those processes; tried again if that is lost.

        Args:
            work: a function at the top level of an installed module. It fails no submission by raising.
            shared: large, and the same object in many calls: sent to each process at most once. Both can be pickled.
            task: small; forgotten with its answer.
            stopping: set from any thread to give up.

        Raises:
            Cancelled: `stopping` was set.
            Unreachable: no answer could be had.
        """


class Executor(Protocol):
    """Measures verified networks somewhere. What it gets holds no code, so that no sandbox is needed there."""

    @property
    def name(self) -> str: ...

    def crew(self, *, jobs: int, scheduler: str | None) -> AbstractContextManager[Crew | None]:
        """Those who do it while the context lasts; None: the grader itself, beside each hand-in.

        Args:
            jobs: submissions that the grader works on at once.
            scheduler: where they are to be found; None: they are started.

        Raises:
            UsageError: at once or on entering: there are none, with what to do about it.
        """
