"""Ranking: from attempts to a board that is fair about ties and about noise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from harness.api import Correct
from harness.assignment import Assignment, AssignmentFile, RankKey
from harness.board import Axes, Baseline, Board, Figures, Standing, Unranked
from harness.results import Attempt, Result, describe_status
from harness.statistics import SIGNIFICANCE, Point, disagreements, holm, mcnemar, pareto
from harness.text import clean

# Shown beside what a board ranks by, where they were measured.
FURTHER = ("parameters", "stored_bytes", "canonical_bytes", "macs")
# The metric that is measured on images, and so has a public and a private figure where these are split.
_ACCURACY = "accuracy"
_PARETO_X = "parameters"


def standings(
    attempts: Iterable[Attempt],
    assignment: Assignment,
    *,
    figures: Figures | None = None,
    counts: Mapping[str, int] | None = None,
) -> Board:
    """Rank submissions by the assignment's keys, whatever the order they come in.

    Never ranked, but listed with the reason: a status other than `graded`, a failed gate, a missing ranking metric, and
    an attempt under another version of the assignment or on other data, whose numbers are not comparable.

    Args:
        attempts: at most one per submission.
        figures: whose images count; None: the public ones where the assignment splits its data, else all.
        counts: submission id -> how many different hand-ins of it were graded; 1 where absent.
    """
    rules = assignment.rules
    figures = figures or ("all" if rules.data["test"].public_fraction is None else "public")
    ranking = tuple(key.model_copy(update={"metric": metric_of(key.metric, figures)}) for key in rules.ranking)
    ordered = sorted(attempts, key=lambda each: each.result.submission)
    names = _names([each.result for each in ordered])
    reasons = _reasons(ordered, assignment, ranking)
    counted = Counter({each.result.submission: 1 for each in ordered}) | Counter(counts or {})
    places = _ranked([each for each in ordered if each.number not in reasons], ranking)
    further = _further([attempt.result for _, attempt in places], ranking)
    axes = _axes(places, figures)
    rows = [_standing(rank, attempt, names, counted, [*_metrics(ranking), *further]) for rank, attempt in places]
    rows = _compared(_tied(rows), [_bits(attempt.result.correct, figures) for _, attempt in places])
    return Board(
        assignment=assignment.info,
        title=rules.title,
        figures=figures,
        ranking=ranking,
        further=further,
        pareto=axes,
        baselines=_baselines(rules, ranking, rows),
        standings=tuple(_on_front(rows, [attempt.result for _, attempt in places], axes)),
        unranked=tuple(_unranked(each, reasons, names, counted) for each in ordered if each.number in reasons),
    )


def metric_of(name: str, figures: Figures) -> str:
    """What a metric is called on the images that count: `accuracy` is `accuracy_public` on a public board."""
    return name if figures == "all" or name != _ACCURACY else f"{name}_{figures}"


def _metrics(ranking: Sequence[RankKey]) -> list[str]:
    return [key.metric for key in ranking]


def _further(results: Sequence[Result], ranking: Sequence[RankKey]) -> tuple[str, ...]:
    ranked = _metrics(ranking)
    return tuple(name for name in FURTHER if name not in ranked and any(name in each.metrics for each in results))


def _reasons(attempts: Sequence[Attempt], assignment: Assignment, ranking: Sequence[RankKey]) -> dict[int, str]:
    """The number of every attempt that has no place -> why."""
    images = _newest_images(attempts, assignment.digest)
    found = {each.number: _no_place(each, assignment, ranking, images) for each in attempts}
    return {number: reason for number, reason in found.items() if reason is not None}


def _newest_images(attempts: Sequence[Attempt], digest: str) -> str | None:
    """The digest of the images that were graded last: boards know no data but through their results."""
    known = [each for each in attempts if each.assignment.digest == digest and each.assignment.data.digest]
    return max(known, key=lambda each: each.number).assignment.data.digest if known else None


def _no_place(attempt: Attempt, assignment: Assignment, ranking: Sequence[RankKey], images: str | None) -> str | None:
    result, info = attempt.result, attempt.assignment
    if info.digest != assignment.digest:
        return (
            f"graded on {info.data.id} under other data or another version of the assignment: "
            "grade it again, or name the same --data"
        )
    if info.data.digest not in {None, images}:
        return f"graded on other images of {info.data.id} than the newest results: grade it again"
    if result.status != "graded":
        return result.reason or describe_status(result.status)
    failed = [each.name for each in result.checks if each.verdict == "failed" and each.name in _gates(assignment)]
    if failed:
        return f"failed {', '.join(failed)}"
    missing = [name for name in _metrics(ranking) if name not in result.metrics]
    return f"{', '.join(missing)} could not be measured" if missing else None


def _gates(assignment: Assignment) -> tuple[str, ...]:
    return assignment.rules.rubric.gates


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
    return tuple(-_turned(result.metrics[key.metric].value, better_up=key.higher_is_better) for key in ranking)


def _turned(value: float, *, better_up: bool) -> float:
    """A number of which more is better."""
    return value if better_up else -value


def _standing(
    rank: int, attempt: Attempt, names: Mapping[str, str], counts: Mapping[str, int], metrics: Sequence[str]
) -> Standing:
    result = attempt.result
    return Standing(
        rank=rank,
        name=names[result.submission],
        submission=result.submission,
        members=result.members,
        score=result.score,
        max_score=result.max_score,
        metrics={name: result.metrics[name] for name in metrics if name in result.metrics},
        failed_checks=tuple(check.name for check in result.checks if check.verdict == "failed"),
        unchecked=tuple(check.name for check in result.checks if check.verdict == "could_not_check"),
        stand_in=attempt.assignment.data.stand_in,
        attempts=counts[result.submission],
        submitted_at=result.submitted_at,
    )


def _unranked(
    attempt: Attempt, reasons: Mapping[int, str], names: Mapping[str, str], counts: Mapping[str, int]
) -> Unranked:
    result = attempt.result
    return Unranked(
        name=names[result.submission],
        submission=result.submission,
        members=result.members,
        status=result.status,
        reason=reasons[attempt.number],
        attempts=counts[result.submission],
        submitted_at=result.submitted_at,
    )


def _tied(rows: Sequence[Standing]) -> list[Standing]:
    shared = Counter(row.rank for row in rows)
    return [row.model_copy(update={"tie": shared[row.rank] > 1}) for row in rows]


def _bits(correct: Correct | None, figures: Figures) -> bytes:
    """Packed bits of the images that count; nothing where they are not known."""
    if correct is None:
        return b""
    return {"all": correct.everything, "public": correct.public, "private": correct.private}[figures]


def _compared(rows: Sequence[Standing], bits: Sequence[bytes]) -> list[Standing]:
    """The rows with their difference from the first tested, image by image."""
    others = [index for index in range(1, len(rows)) if bits[0] and len(bits[index]) == len(bits[0])]
    if not others:
        return list(rows)
    p_values = holm(mcnemar(*disagreements(bits[0], [bits[index] for index in others])))
    found = dict(zip(others, p_values.tolist(), strict=True))
    return [
        row.model_copy(update={"p_value": found[index], "distinguishable": found[index] <= SIGNIFICANCE})
        if index in found
        else row
        for index, row in enumerate(rows)
    ]


def _axes(places: Sequence[tuple[int, Attempt]], figures: Figures) -> Axes | None:
    """Accuracy against the number of parameters, where both were measured."""
    y = metric_of(_ACCURACY, figures)
    for _, attempt in places:
        metrics = attempt.result.metrics
        if _PARETO_X in metrics and y in metrics:
            return Axes(
                x=_PARETO_X,
                y=y,
                x_higher_is_better=metrics[_PARETO_X].higher_is_better,
                y_higher_is_better=metrics[y].higher_is_better,
            )
    return None


def _on_front(rows: Sequence[Standing], results: Sequence[Result], axes: Axes | None) -> list[Standing]:
    if axes is None:
        return list(rows)
    placed = [index for index, each in enumerate(results) if axes.x in each.metrics and axes.y in each.metrics]
    points = [_point(results[index], axes) for index in placed]
    front = dict(zip(placed, pareto(points), strict=True))
    return [row.model_copy(update={"pareto": front.get(index)}) for index, row in enumerate(rows)]


def _point(result: Result, axes: Axes) -> Point:
    return Point(
        _turned(result.metrics[axes.x].value, better_up=axes.x_higher_is_better),
        _turned(result.metrics[axes.y].value, better_up=axes.y_higher_is_better),
    )


def _baselines(rules: AssignmentFile, ranking: Sequence[RankKey], rows: Sequence[Standing]) -> tuple[Baseline, ...]:
    first = ranking[0]
    by_accuracy = first.metric.removesuffix("_public").removesuffix("_private") == _ACCURACY and first.higher_is_better
    reached = [row.metrics[first.metric].value for row in rows]
    return tuple(
        Baseline(
            name=name,
            accuracy=accuracy,
            reached_by=sum(value >= accuracy for value in reached) if by_accuracy else None,
        )
        for name, accuracy in sorted(rules.baselines.items(), key=lambda line: -line[1])
    )


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
