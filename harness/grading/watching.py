"""Grade what arrives, round after round, and keep what is shown up to date; say each event in a line."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from harness.errors import HarnessError
from harness.grading.quota import LimitedRun
from harness.report.view import outcome
from harness.submission.arrivals import Arrivals
from harness.submission.hand_in import HandIn
from harness.text import clean, first_of, score_text
from harness.values.moments import moment_text
from harness.values.results import Result

_AT_LEAST_BETWEEN = timedelta(seconds=30)
"""Between two times that the site is made during one round: a class's takes a second or two."""
_NAMED = 5


@dataclass
class Watch:
    """A folder that is watched; nothing of it needs to be kept, since the store knows what was graded."""

    arrivals: Arrivals
    run_of: Callable[[Sequence[HandIn]], LimitedRun]
    publish: Callable[[bool], str | None]
    """Brings what is shown up to date, told whether anything was graded since; what to say of that, or None where
    nothing has changed."""
    clock: Callable[[], datetime]
    zone: tzinfo
    """By whose clocks moments are told."""
    _graded_since: bool = False
    _published_at: datetime | None = None
    _problems: set[str] = field(default_factory=set)
    """What stood in the way in the folder when it was last looked at: what lasts is told once."""
    _told: dict[str, str] = field(default_factory=dict)
    """Kind of trouble -> what was last said of it, likewise."""

    def round(self) -> Generator[str]:
        """Look once and do what is to be done; closing the iterator stops what is running."""
        ready = self.arrivals.ready(self.clock())
        problems = set(self.arrivals.problems)
        yield from (clean(each) for each in sorted(problems - self._problems))
        self._problems = problems
        if ready:
            try:
                yield from self._graded(ready)
            except (HarnessError, OSError) as error:
                # It stays ready: what was not kept is tried again in the next round.
                yield from self._trouble("grading", f"grading stopped: {error}")
            else:
                self._told.pop("grading", None)
        yield from self._published()

    def _graded(self, ready: Sequence[HandIn]) -> Iterator[str]:
        yield f"grading {len(ready):,}: {clean(first_of([each.id for each in ready], _NAMED))}"
        run = self.run_of(ready)
        with closing(run.grade()) as results:
            for result in results:
                self._graded_since = True
                yield _line(result)
                if self._published_at is None or self.clock() - self._published_at >= _AT_LEAST_BETWEEN:
                    yield from self._published()
        for each in ready:
            self.arrivals.settle(each, run.held.get(each.id))
        unchanged = sorted(run.unchanged)
        if unchanged:
            yield f"{len(unchanged):,} as graded before: {clean(first_of(unchanged, _NAMED))}"
        for name, until in sorted(run.held.items()):
            yield (
                f"{clean(name)}: waits, as all attempts of this day are used; "
                f"the next is allowed at {moment_text(until, self.zone)}"
            )

    def _published(self) -> Iterator[str]:
        try:
            said = self.publish(self._graded_since)
        except (HarnessError, OSError) as error:
            yield from self._trouble("board", f"the board stays as it was: {error}")
            return
        finally:
            self._published_at = self.clock()
        self._graded_since = False
        self._told.pop("board", None)
        if said is not None:
            yield said

    def _trouble(self, kind: str, text: str) -> Iterator[str]:
        if self._told.get(kind) != text:
            yield clean(text)
        self._told[kind] = text


def _line(result: Result) -> str:
    points = score_text(result.score, result.max_score)
    return f"{clean(result.submission)}: {clean(outcome(result), 200)}, {points} points, {result.seconds:.1f} s"
