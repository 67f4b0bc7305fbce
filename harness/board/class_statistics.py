"""Describe a class in numbers, for the instructor: outcomes, scores, and what went wrong most often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from harness.values.base import Value
from harness.values.board import Board, Entry
from harness.vocabulary import STATUSES, Status

_MAX_BINS = 10


class Bin(Value):
    """Scores from `low` up to, but not including, `high`; the last bin includes it."""

    low: float
    """From here on."""
    high: float
    """Up to here."""
    count: int
    """Submissions in between."""


class ClassStatistics(Value):
    """What the instructor's view of a board adds up to."""

    submissions: int
    """How many there are."""
    ranked: int
    """How many have a place."""
    missing: int
    """Of the roster, where there was one."""
    late: int
    """How many came late."""
    statuses: tuple[tuple[Status, int], ...]
    """Those that occur."""
    mean: float | None
    """Of the scores; None without submissions."""
    quartiles: tuple[float, float, float] | None
    """Lower quartile, median, upper quartile."""
    max_score: float
    """The most anyone could have."""
    histogram: tuple[Bin, ...]
    """Scores in bins."""
    failed_checks: tuple[tuple[str, int], ...]
    """The commonest first."""
    unchecked: tuple[tuple[str, int], ...]
    """Checks that need a person, the commonest first."""


def class_statistics(board: Board) -> ClassStatistics:
    """Statistics of an instructor's board."""
    rows: list[Entry] = [*board.standings, *board.unranked]
    scores = np.array([row.score for row in rows])
    statuses = Counter(row.status for row in rows)
    most = max((row.max_score for row in rows), default=0.0)
    return ClassStatistics(
        submissions=len(rows),
        ranked=len(board.standings),
        missing=len(board.missing),
        late=sum(bool(row.late_days) or row.late_unknown for row in rows),
        statuses=tuple((status, statuses[status]) for status in STATUSES if statuses[status]),
        mean=float(scores.mean()) if rows else None,
        quartiles=tuple(np.quantile(scores, (0.25, 0.5, 0.75)).tolist()) if rows else None,
        max_score=most,
        histogram=_histogram(rows, most),
        failed_checks=_commonest(name for row in rows for name in row.failed_checks),
        unchecked=_commonest(name for row in rows for name in row.unchecked),
    )


def _histogram(rows: list[Entry], most: float) -> tuple[Bin, ...]:
    """Ten equal parts of what there is to earn; wider when bonus or negative points lie outside."""
    scores = [row.score for row in rows]
    if not scores:
        return ()
    low, high = min(0.0, *scores), max(most, *scores)
    if low == high:
        return (Bin(low=low, high=high, count=len(scores)),)
    counts, edges = np.histogram(scores, bins=_MAX_BINS, range=(low, high))
    ends = edges.tolist()
    return tuple(
        Bin(low=start, high=end, count=count)
        for start, end, count in zip(ends[:-1], ends[1:], counts.tolist(), strict=True)
    )


def _commonest(names: Iterable[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(names).items(), key=lambda each: (-each[1], each[0])))
