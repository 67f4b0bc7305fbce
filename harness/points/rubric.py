"""Turn checks and metrics into points, each with its reason."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from harness.text import told_apart
from harness.values.measures import ACCURACY, Check, Metric
from harness.values.results import PointLine
from harness.values.rules import AssignmentFile, PointRule
from harness.vocabulary import Status

LineT = TypeVar("LineT", bound=PointLine)


def points(rules: AssignmentFile, checks: Mapping[str, Check], metrics: Mapping[str, Metric]) -> tuple[PointLine, ...]:
    """Apply `[[rubric.points]]`, then the gates.

    A gate that *failed* takes every point away. One that could not be checked withholds them until a person decides.
    """
    lines = [_line(rule, rules.baselines, checks, metrics) for rule in rules.rubric.points]
    return tuple(gated(rules, checks.values(), lines))


def gated(rules: AssignmentFile, checks: Iterable[Check], lines: Sequence[LineT]) -> list[LineT]:
    """What the gates leave of points."""
    known = tuple(checks)
    if closed := closed_gates(rules, known):
        nothing_left = {"points": 0.0, "pending": 0.0, "reason": f"0 because {' and '.join(closed)} failed"}
        return [line.model_copy(update=nothing_left) if line.points or line.pending else line for line in lines]
    undecided = [name for name in rules.rubric.gates if name in _undecided(known)]
    if not undecided:
        return list(lines)
    reason = withheld_because(undecided)
    return [
        line.model_copy(update={"points": 0.0, "pending": line.pending + line.points, "reason": reason})
        if line.points > 0
        else line
        for line in lines
    ]


def withheld_because(names: Sequence[str]) -> str:
    """The reason of a line whose points are pending."""
    return f"pending: {' and '.join(names)} could not be checked, a person has to decide"


def undecided(rules: AssignmentFile, checks: Iterable[Check]) -> list[Check]:
    """The checks that could not be made and decide about points."""
    deciding = {*rules.rubric.gates, *(rule.check for rule in rules.rubric.points)}
    return [check for check in checks if check.verdict == "could_not_check" and check.name in deciding]


def _undecided(checks: Iterable[Check]) -> set[str]:
    return {check.name for check in checks if check.verdict == "could_not_check"}


def closed_gates(rules: AssignmentFile, checks: Iterable[Check]) -> list[str]:
    """The gates that failed, in the rubric's order."""
    failed = {check.name for check in checks if check.verdict == "failed"}
    return [name for name in rules.rubric.gates if name in failed]


def max_score(rules: AssignmentFile) -> float:
    """What can be graded automatically; points by rank and manual points come on top."""
    return float(sum(rule.points for rule in rules.rubric.points))


def not_graded(status: Status) -> str:
    """Why there are no points."""
    return f"not graded: {status.replace('_', ' ')}"


def nothing(rules: AssignmentFile, reason: str) -> tuple[PointLine, ...]:
    """No points at all, as for a submission that was not graded."""
    return tuple(
        PointLine(name=rule.name, points=0.0, max_points=rule.points, reason=reason) for rule in rules.rubric.points
    )


@dataclass(frozen=True, slots=True)
class Prediction:
    """What `grade` will probably give for something `check` has seen on the public images only."""

    score: float
    low: float
    high: float
    """The ends follow from the 95 % intervals of the metrics."""


def predict(rules: AssignmentFile, checks: Mapping[str, Check], metrics: Mapping[str, Metric]) -> Prediction:
    """The score with its uncertainty; without what is pending.

    Without a public and private split the very images are graded that were checked, so nothing is uncertain. With one,
    the figures of the public images are certain as well; private and overall ones are guessed from them. With a share f
    of the images public, the private ones are (1 - f) / f times as many, so the difference of the two has an interval
    wider than the public one's by √(1 / (1 - f)); and in the overall figure private images have the weight 1 - f.
    """
    public = rules.data["test"].public_fraction
    if public is None:
        score = _total(points(rules, checks, metrics))
        return Prediction(score, score, score)
    guessed = {**metrics, **_guesses(metrics, public)}
    low, score, high = (
        _total(points(rules, checks, {name: _at(metric, end) for name, metric in guessed.items()}))
        for end in ("worse", "value", "better")
    )
    return Prediction(score, low, high)


def _guesses(metrics: Mapping[str, Metric], public: float) -> dict[str, Metric]:
    guesses = {}
    for name, metric in metrics.items():
        stem = name.removesuffix("_public")
        if stem != name:
            guesses[name] = _within(metric, 0)
            guesses[stem] = _within(metric, math.sqrt(1 - public))
            guesses[f"{stem}_private"] = _within(metric, 1 / math.sqrt(1 - public))
    return guesses


def _within(metric: Metric, times: float) -> Metric:
    """The metric with an interval so many times as wide."""
    if metric.low is None or metric.high is None:
        return metric
    low, high = (metric.value + times * (end - metric.value) for end in (metric.low, metric.high))
    return metric.model_copy(update={"low": low, "high": high})


def _at(metric: Metric, end: Literal["worse", "value", "better"]) -> Metric:
    ends = (metric.low, metric.high) if metric.higher_is_better else (metric.high, metric.low)
    value = {"worse": ends[0], "value": metric.value, "better": ends[1]}[end]
    return metric if value is None else metric.model_copy(update={"value": value})


def _total(lines: Iterable[PointLine]) -> float:
    return float(sum(line.points for line in lines))


def _line(
    rule: PointRule, baselines: Mapping[str, float], checks: Mapping[str, Check], metrics: Mapping[str, Metric]
) -> PointLine:
    met, reason = _condition(rule, baselines, checks, metrics)
    if rule.check is not None and rule.check in _undecided(checks.values()):
        withheld = withheld_because([rule.check])
        return PointLine(name=rule.name, points=0.0, pending=rule.points, max_points=rule.points, reason=withheld)
    return PointLine(name=rule.name, points=rule.points if met else 0.0, max_points=rule.points, reason=reason)


def _condition(
    rule: PointRule, baselines: Mapping[str, float], checks: Mapping[str, Check], metrics: Mapping[str, Metric]
) -> tuple[bool, str]:
    if rule.check is not None:
        check = checks.get(rule.check)
        verdict = check.verdict if check else "could_not_check"
        return verdict == "passed", f"{rule.check}: {verdict.replace('_', ' ')}"
    name = rule.metric or ACCURACY
    metric = metrics.get(name)
    if metric is None:
        return False, f"{name} was not measured"
    if rule.at_most is not None:
        met = metric.value <= rule.at_most
        figure, level = told_apart(metric.value, rule.at_most, metric.unit)
        return met, f"{name} {figure} is {'within' if met else 'over'} {level}"
    wanted = baselines[rule.baseline] if rule.baseline is not None else rule.at_least
    assert wanted is not None, "AssignmentFile allows exactly one condition"
    met = metric.value >= wanted
    figure, level = told_apart(metric.value, wanted, metric.unit)
    return met, f"{name} {figure} {'reaches' if met else 'is below'} {level}"
