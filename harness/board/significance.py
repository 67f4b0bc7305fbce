"""Compare the rows of a board: each with the leader by McNemar's test, all in the plane of two metrics."""

from __future__ import annotations

from collections.abc import Sequence

from harness.statistics import SIGNIFICANCE, Point, disagreements, holm, mcnemar, pareto
from harness.values.board import Axes, Baseline, Standing
from harness.values.evaluation import Correct
from harness.values.measures import ACCURACY, Figures, Measures
from harness.values.results import Result
from harness.values.rules import RankKey


def against_leader(rows: Sequence[Standing], results: Sequence[Result], figures: Figures) -> list[Standing]:
    """The rows, each tested against the first where it is known which images both had right.

    Args:
        results: parallel to `rows`.
        figures: whose images count.
    """
    bits = [_bits(each.correct, figures) for each in results]
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


def axes_of(results: Sequence[Result], x: str | None, y: str, measures: Measures) -> Axes | None:
    """The metric `y` against the metric `x`, where anyone has both."""
    if x is None or x == y:
        return None
    for metrics in (each.metrics for each in results):
        if x in metrics and y in metrics:
            return Axes(
                x=x,
                y=y,
                x_higher_is_better=metrics[x].higher_is_better,
                y_higher_is_better=metrics[y].higher_is_better,
                x_title=measures.title(x),
                y_title=measures.title(y),
            )
    return None


def on_front(rows: Sequence[Standing], results: Sequence[Result], axes: Axes | None) -> list[Standing]:
    """The rows, each knowing whether nothing beats it in the plane."""
    if axes is None:
        return list(rows)
    placed = [index for index, each in enumerate(results) if axes.x in each.metrics and axes.y in each.metrics]
    front = dict(zip(placed, pareto([_point(results[index], axes) for index in placed]), strict=True))
    return [row.model_copy(update={"pareto": front.get(index)}) for index, row in enumerate(rows)]


def baseline_lines(
    baselines: dict[str, float], first: RankKey, rows: Sequence[Standing], measures: Measures
) -> tuple[Baseline, ...]:
    """The named accuracies, highest first, each with how many rows reach it.

    Args:
        first: the most important key of the ranking.
    """
    by_accuracy = first.higher_is_better and first.metric in measures.kinds_of(ACCURACY)
    values = [row.metrics[first.metric].value for row in rows]
    return tuple(
        Baseline(
            name=name,
            accuracy=accuracy,
            reached_by=sum(value >= accuracy for value in values) if by_accuracy else None,
        )
        for name, accuracy in sorted(baselines.items(), key=lambda line: -line[1])
    )


def _bits(correct: Correct | None, figures: Figures) -> bytes:
    """Packed bits of the images that count; nothing where they are not known."""
    if correct is None:
        return b""
    return {"all": correct.everything, "public": correct.public, "private": correct.private}[figures]


def _point(result: Result, axes: Axes) -> Point:
    x, y = result.metrics[axes.x].value, result.metrics[axes.y].value
    return Point(x if axes.x_higher_is_better else -x, y if axes.y_higher_is_better else -y)
