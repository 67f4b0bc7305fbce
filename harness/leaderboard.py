"""Ranking: from attempts to a board that is fair about ties and silent about what the class must not see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, assert_never

from harness.api import Metric, Value
from harness.assignment import Assignment, AssignmentFile, RankKey
from harness.results import AssignmentInfo, Attempt, Result, Status
from harness.text import clean


class Standing(Value):
    """A row of the board."""

    rank: int
    """From 1. Those equal in every ranking metric share a rank, and the next rank counts them: 1, 2, 2, 4."""
    name: str
    """The nickname, else the submission's id; never the name of another row."""
    submission: str | None
    """The submission's id; None on the class's board where a nickname stands for it."""
    score: float
    max_score: float
    metrics: dict[str, Metric]
    """Those the assignment ranks by, in its order."""
    parameters: int | None = None
    stored_bytes: int | None = None
    failed_checks: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    """Checks that need a person."""
    stand_in: bool
    """Graded on data that only looks like the real thing."""
    distinguishable: bool | None = None
    """Whether it can be told from the leader; None where that was not computed."""


class Unranked(Value):
    """A submission that has no place, and why."""

    name: str
    submission: str | None
    status: Status
    reason: str


class Board(Value):
    """What the writers render. Rows come ranked; equal ones by name."""

    board_version: Literal[1] = 1
    assignment: AssignmentInfo
    title: str
    ranking: tuple[RankKey, ...]
    standings: tuple[Standing, ...]
    unranked: tuple[Unranked, ...]

    @property
    def stand_in(self) -> bool:
        """Whether any row was graded on a stand-in."""
        return self.assignment.data.stand_in or any(row.stand_in for row in self.standings)

    def for_class(self) -> Board:
        """The board without ids behind nicknames and without the text of exceptions.

        A crash's message is written by the submission's own code, which has seen the graded images: showing it to
        students would tell them about private data.
        """
        standings = [row.model_copy(update={"submission": _public_id(row)}) for row in self.standings]
        unranked = [
            row.model_copy(
                update={
                    "submission": _public_id(row),
                    "reason": row.reason if row.status == "graded" else describe_status(row.status),
                }
            )
            for row in self.unranked
        ]
        return self.model_copy(update={"standings": tuple(standings), "unranked": tuple(unranked)})


def standings(attempts: Iterable[Attempt], assignment: Assignment) -> Board:
    """Rank submissions by the assignment's keys, whatever the order they come in.

    Never ranked, but listed with the reason: a status other than `graded`, a failed gate, a missing ranking metric, and
    an attempt under another version of the assignment or on other data, whose numbers are not comparable.

    Args:
        attempts: at most one per submission.
    """
    rules = assignment.rules
    ordered = sorted(attempts, key=lambda each: each.result.submission)
    names = _names([each.result for each in ordered])
    reasons = {each.number: _no_place(each, rules, assignment.digest) for each in ordered}
    placed = [each for each in ordered if reasons[each.number] is None]
    unranked = [
        Unranked(name=names[row.submission], submission=row.submission, status=row.status, reason=reason)
        for row, reason in ((each.result, reasons[each.number]) for each in ordered)
        if reason is not None
    ]
    return Board(
        assignment=assignment.info,
        title=rules.title,
        ranking=rules.ranking,
        standings=tuple(
            _standing(rank, attempt, names[attempt.result.submission], rules.ranking)
            for rank, attempt in _ranked(placed, rules.ranking)
        ),
        unranked=tuple(unranked),
    )


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


def _no_place(attempt: Attempt, rules: AssignmentFile, digest: str) -> str | None:
    result = attempt.result
    if attempt.assignment.digest != digest:
        return (
            f"graded on {attempt.assignment.data.id} under other data or another version of the assignment: "
            "grade it again, or name the same --data"
        )
    if result.status != "graded":
        return result.reason or describe_status(result.status)
    failed = [check.name for check in result.checks if check.verdict == "failed" and check.name in rules.rubric.gates]
    if failed:
        return f"failed {', '.join(failed)}"
    missing = [key.metric for key in rules.ranking if key.metric not in result.metrics]
    return f"{', '.join(missing)} could not be measured" if missing else None


def _ranked(attempts: Sequence[Attempt], ranking: Sequence[RankKey]) -> list[tuple[int, Attempt]]:
    """Competition ranks: one more than the number of rows that are strictly better."""
    keys = [_key(each.result, ranking) for each in attempts]
    # Sorting is stable, so those that tie stay in the order of their ids.
    order = sorted(range(len(attempts)), key=keys.__getitem__)
    ranks: dict[tuple[float, ...], int] = {}
    for place, index in enumerate(order, start=1):
        ranks.setdefault(keys[index], place)
    return [(ranks[keys[index]], attempts[index]) for index in order]


def _key(result: Result, ranking: Sequence[RankKey]) -> tuple[float, ...]:
    values = ((key, result.metrics[key.metric].value) for key in ranking)
    return tuple(-value if key.higher_is_better else value for key, value in values)


def _standing(rank: int, attempt: Attempt, name: str, ranking: Sequence[RankKey]) -> Standing:
    result = attempt.result
    return Standing(
        rank=rank,
        name=name,
        submission=result.submission,
        score=result.score,
        max_score=result.max_score,
        metrics={key.metric: result.metrics[key.metric] for key in ranking},
        parameters=_whole(result.metrics.get("parameters")),
        stored_bytes=_whole(result.metrics.get("stored_bytes")),
        failed_checks=tuple(check.name for check in result.checks if check.verdict == "failed"),
        unchecked=tuple(check.name for check in result.checks if check.verdict == "could_not_check"),
        stand_in=attempt.assignment.data.stand_in,
    )


def _whole(metric: Metric | None) -> int | None:
    return None if metric is None else int(metric.value)


def _names(results: Sequence[Result]) -> dict[str, str]:
    """Submission id -> the name to show; a nickname that another row also answers to gets its id beside it."""
    wanted = {each.submission: clean(each.nickname or "", 60) or clean(each.submission, 120) for each in results}
    uses = Counter(name.casefold() for name in wanted.values())
    taken = {clean(each.submission, 120).casefold(): each.submission for each in results}
    names = {}
    for submission, name in wanted.items():
        unique = uses[name.casefold()] == 1 and taken.get(name.casefold(), submission) == submission
        names[submission] = name if unique else f"{name} ({clean(submission, 120)})"
    return names


def _public_id(row: Standing | Unranked) -> str | None:
    """The id where the name shows it anyway, else None."""
    if row.submission is None:
        return None
    shown = clean(row.submission, 120)
    return row.submission if row.name == shown or row.name.endswith(f" ({shown})") else None
