"""Tell what else was handed in under one name, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import tzinfo

from harness.values.report import PastAttempt
from harness.values.results import Attempt, Result


def history(
    counting: Attempt, attempts: Iterable[Attempt], zone: tzinfo, seen: Callable[[Result], Result]
) -> tuple[PastAttempt, ...]:
    """A line for each hand-in, oldest first; grading the same files again replaces their earlier grading.

    Args:
        counting: the attempt that a report is about.
        attempts: of the same person or team, in the order they were graded; `counting` may be among them.
        seen: what the reader may see of a result.
    """
    newest: dict[tuple[str, str | int], Attempt] = {}
    for each in attempts:
        newest.pop(_files(each), None)
        newest[_files(each)] = each
    newest[_files(counting)] = counting
    return tuple(_past(each, zone, seen, counts=each is counting) for each in newest.values())


def _files(attempt: Attempt) -> tuple[str, str | int]:
    """What tells one hand-in from another; what could not even be read is one by itself."""
    return attempt.result.submission, attempt.result.digest or attempt.number


def _past(attempt: Attempt, zone: tzinfo, seen: Callable[[Result], Result], *, counts: bool) -> PastAttempt:
    result = seen(attempt.result)
    return PastAttempt(
        graded_at=attempt.graded_at.astimezone(zone),
        status=result.status,
        score=result.score,
        max_score=result.max_score,
        pending=result.pending,
        counts=counts,
    )
