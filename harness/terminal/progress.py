"""Show how far grading is: what runs now, how many are done, and how long it will still take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console, ConsoleRenderable, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.terminal.console import safe
from harness.text import clean, score_text
from harness.values.results import Result

_BAR_COLUMNS = 24


@dataclass
class GradeState:
    """What is known of a run; told by worker threads, rendered by the main one."""

    total: int
    now: Callable[[], float] = time.monotonic
    done: int = 0
    running: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Submission -> its stage and when it began."""

    def __post_init__(self) -> None:
        self._started = self.now()
        self._lock = threading.Lock()

    def advance(self, submission: str, stage: str) -> None:
        """A submission entered a stage; the empty one means it is finished."""
        with self._lock:
            if stage:
                self.running[submission] = (stage, self.running.get(submission, ("", self.now()))[1])
            elif self.running.pop(submission, None) is not None:
                self.done += 1

    def seconds_left(self) -> float | None:
        """An estimate from the pace so far; None before the first is finished."""
        if not self.done:
            return None
        return (self.now() - self._started) / self.done * (self.total - self.done)

    def __rich__(self) -> ConsoleRenderable:
        with self._lock:
            running = sorted(self.running.items(), key=lambda item: item[1][1])
            left = self.seconds_left()
        head = Table.grid(padding=(0, 1))
        words = f"{self.done}/{self.total} done" + ("" if left is None else f" · {duration(left)} left")
        bar = ProgressBar(total=max(1, self.total), completed=self.done, width=_BAR_COLUMNS)
        head.add_row(Text("grading", "bold"), bar, Text(words))
        rows = Table.grid(padding=(0, 2))
        for submission, (stage, since) in running:
            rows.add_row(Text("  ") + safe(submission), safe(stage, "cyan"), Text(duration(self.now() - since), "dim"))
        return Group(head, rows)


class GradeProgress:
    """Shows a `GradeState` on a terminal; elsewhere prints a line for every finished submission."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._state = GradeState(total)
        self._live = Live(self._state, console=console, transient=True, refresh_per_second=8, redirect_stdout=False)
        self._finished = 0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def advance(self, submission: str, stage: str) -> None:
        self._state.advance(submission, stage)

    def finished(self, result: Result) -> None:
        """A result is kept; say so where no bar is shown."""
        self._finished += 1
        if not self._console.is_terminal:
            left = self._state.seconds_left()
            self._console.print(Text(finished_line(result, self._finished, self._state.total, left)), soft_wrap=True)


def finished_line(result: Result, number: int, total: int, left: float | None) -> str:
    """'[3/10] seed-003: graded, 45 / 45, 2.1 s · 20 s left'."""
    score = f", {score_text(result.score, result.max_score, result.pending)}" if result.status == "graded" else ""
    rest = f" · {duration(left)} left" if left else ""
    name = clean(result.submission, 120)
    return f"[{number}/{total}] {name}: {result.status}{score}, {duration(result.seconds)}{rest}"


def duration(seconds: float) -> str:
    """'8 s', '2 min 05 s', '1 h 20 min'."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
