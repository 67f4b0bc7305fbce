"""Rank submissions: which attempt counts, why one cannot be ranked, competition ranks (1, 2, 2, 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from harness.assignment.loading import Assignment
from harness.points import rubric
from harness.points.scoring import Place
from harness.values.results import Attempt, Result
from harness.values.rules import RankKey
from harness.vocabulary import describe_status

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RankingRules:
    """How this board ranks."""

    assignment: Assignment
    ranking: tuple[RankKey, ...]
    """With the metrics that really count."""
    images: str | None
    """Digest of the images of the newest results."""

    def no_place(self, attempt: Attempt) -> str | None:
        """Why an attempt cannot be ranked; None when it can."""
        result, info = attempt.result, attempt.assignment
        if info.digest != self.assignment.digest:
            return (
                f"graded on {info.data.id} under other data or another version of the assignment: "
                "grade it again, or name the same --data"
            )
        if info.data.digest not in {None, self.images}:
            return f"graded on other images of {info.data.id} than the newest results: grade it again"
        if result.status != "graded":
            return result.reason or describe_status(result.status)
        failed = rubric.closed_gates(self.assignment.rules, result.checks)
        if failed:
            return f"failed {', '.join(failed)}"
        missing = [key.metric for key in self.ranking if key.metric not in result.metrics]
        if attempt.to_measure and missing:
            return f"{', '.join(missing)} was not measured as the assignment wants it now: 'harness grade' does that"
        return f"{', '.join(missing)} could not be measured" if missing else None

    def key(self, result: Result) -> tuple[float, ...]:
        """What a placed result is sorted by, the best first."""
        values = ((key, result.metrics[key.metric].value) for key in self.ranking)
        return tuple(-value if key.higher_is_better else value for key, value in values)


def newest_images(attempts: Iterable[Attempt], digest: str) -> str | None:
    """The digest of the images that were graded last: a board knows no data but through its results.

    Args:
        digest: of the assignment.
    """
    known = [each for each in attempts if each.assignment.digest == digest and each.assignment.data.digest]
    return max(known, key=lambda each: each.number).assignment.data.digest if known else None


def counting(
    attempts: Iterable[Attempt], rules: RankingRules, groups: Mapping[str, str], which: Literal["last", "best"]
) -> list[Attempt]:
    """The attempt that counts of every submission, or team, by submission id.

    Grading the same files again replaces the earlier grading. Of a team's hand-ins the last is the one handed in last.

    Args:
        groups: submission id -> its team, where there are teams.
    """
    by_group: dict[str, dict[tuple[str, str | int], Attempt]] = {}
    for each in sorted(attempts, key=lambda each: each.number):
        submission = each.result.submission
        same = by_group.setdefault(groups.get(submission, submission), {})
        files = (submission, each.result.digest or each.number)
        # Taken out first: what was graded last also stands last.
        same.pop(files, None)
        same[files] = each
    chosen = [_counting(list(each.values()), rules, which) for each in by_group.values()]
    return sorted(chosen, key=lambda each: each.result.submission)


def ranked(items: Sequence[T], key: Callable[[T], tuple[float, ...]]) -> list[tuple[int, T]]:
    """Items with their competition ranks: one more than the number of those that are strictly better."""
    keys = [key(each) for each in items]
    # Sorting is stable, so those that tie stay in the order they came in.
    order = sorted(range(len(items)), key=keys.__getitem__)
    ranks: dict[tuple[float, ...], int] = {}
    for place, index in enumerate(order, start=1):
        ranks.setdefault(keys[index], place)
    return [(ranks[keys[index]], items[index]) for index in order]


def places_by(metric: str, results: Sequence[Result]) -> dict[str, Place]:
    """Submission id -> its place among those for whom `metric` was measured."""
    measured = [each for each in results if metric in each.metrics]

    def key(result: Result) -> tuple[float, ...]:
        found = result.metrics[metric]
        return (-found.value if found.higher_is_better else found.value,)

    return {each.submission: Place(rank, len(measured)) for rank, each in ranked(measured, key)}


def _counting(attempts: list[Attempt], rules: RankingRules, which: Literal["last", "best"]) -> Attempt:
    if which == "best":
        placed = [each for each in attempts if rules.no_place(each) is None]
        if placed:
            return min(placed, key=lambda each: (rules.key(each.result), each.number))
    if len({each.result.submission for each in attempts}) == 1:
        return attempts[-1]
    return max(attempts, key=lambda each: (each.result.submitted_at or each.graded_at, each.number))
