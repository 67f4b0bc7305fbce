"""From checks and metrics to points, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping

from harness.api import Check, Metric
from harness.assignment import AssignmentFile, PointRule
from harness.results import PointLine


def points(rules: AssignmentFile, checks: Mapping[str, Check], metrics: Mapping[str, Metric]) -> tuple[PointLine, ...]:
    """Apply `[[rubric.points]]`, then the gates.

    A gate that *failed* takes every point away. One that could not be checked takes nothing: a person has to decide.
    """
    lines = tuple(_line(rule, rules.baselines, checks, metrics) for rule in rules.rubric.points)
    closed = [name for name in rules.rubric.gates if name in checks and checks[name].verdict == "failed"]
    if not closed:
        return lines
    reason = f"0 because {' and '.join(closed)} failed"
    return tuple(line.model_copy(update={"points": 0.0, "reason": reason}) for line in lines)


def max_score(rules: AssignmentFile) -> float:
    """What can be graded automatically; points by rank and manual points come on top."""
    return sum(rule.points for rule in rules.rubric.points)


def nothing(rules: AssignmentFile, reason: str) -> tuple[PointLine, ...]:
    """No points at all, as for a submission that was not graded."""
    return tuple(
        PointLine(name=rule.name, points=0.0, max_points=rule.points, reason=reason) for rule in rules.rubric.points
    )


def _line(
    rule: PointRule, baselines: Mapping[str, float], checks: Mapping[str, Check], metrics: Mapping[str, Metric]
) -> PointLine:
    met, reason = _condition(rule, baselines, checks, metrics)
    return PointLine(name=rule.name, points=rule.points if met else 0.0, max_points=rule.points, reason=reason)


def _condition(
    rule: PointRule, baselines: Mapping[str, float], checks: Mapping[str, Check], metrics: Mapping[str, Metric]
) -> tuple[bool, str]:
    if rule.check is not None:
        check = checks.get(rule.check)
        verdict = check.verdict if check else "could_not_check"
        return verdict == "passed", f"{rule.check}: {verdict.replace('_', ' ')}"
    name = rule.metric or "accuracy"
    metric = metrics.get(name)
    if metric is None:
        return False, f"{name} was not measured"
    if rule.at_most is not None:
        met = metric.value <= rule.at_most
        return met, f"{name} {metric.value:,.6g} is {'within' if met else 'over'} {rule.at_most:,.6g}"
    wanted = baselines[rule.baseline] if rule.baseline is not None else rule.at_least
    assert wanted is not None, "AssignmentFile allows exactly one condition"
    met = metric.value >= wanted
    return met, f"{name} {metric.value:.5g} {'reaches' if met else 'is below'} {wanted:.5g}"
