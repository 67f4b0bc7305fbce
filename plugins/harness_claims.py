"""Compare what `submission.toml` claims with what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import Field

from harness.api import (
    Check,
    CheckSpec,
    Context,
    Curve,
    Evaluation,
    Evaluator,
    Metric,
    Options,
    Predictions,
    Student,
    hookimpl,
)
from harness.api.text import told_apart

Points = tuple[tuple[float, float], ...]

_METRICS = {"weights_bytes": "stored_bytes"}
"""Claims that go by another name than the metric."""


class ClaimOptions(Options):
    """`[evaluators.claims]`."""

    accuracy_tolerance: Annotated[float, Field(ge=0, le=1)] = 0.01
    """How far a claimed accuracy may be above the measured one, absolute."""
    relative_tolerance: Annotated[float, Field(ge=0, le=1)] = 0.005
    """How far any other claim may be off, relative."""


class Claims:
    """Checks that every claimed figure and curve that was measured is right.

    The check is `claims`; without claims there is none. List it last in an assignment: it sees what the evaluators
    before it measured.
    """

    name = "claims"
    Options = ClaimOptions
    metrics = ()
    checks = (CheckSpec("claims"),)

    def evaluate(self, student: Student, context: Context[ClaimOptions]) -> Evaluation:
        return _evaluation(student.claims, student.claimed_curves, context)

    def evaluate_predictions(self, predictions: Predictions, context: Context[ClaimOptions]) -> Evaluation:
        return _evaluation(predictions.claims, predictions.claimed_curves, context)


def _evaluation(
    figures: Mapping[str, float], curves: Mapping[str, Points], context: Context[ClaimOptions]
) -> Evaluation:
    if not figures and not curves:
        return Evaluation()
    wrong: list[str] = []
    unknown: list[str] = []
    for name, claimed in figures.items():
        metric = context.measured.get(_METRICS.get(name, name))
        if metric is None:
            unknown.append(name)
        elif not _holds(name, claimed, metric.value, context.options):
            said, found = told_apart(claimed, metric.value, metric.unit)
            wrong.append(f"{name}: claimed {said}, measured {found}")
    measured = {curve.name: curve for curve in context.curves}
    for name, points in curves.items():
        if name in measured:
            mistakes, beyond = _compare(name, points, measured[name], context.options)
            wrong += mistakes
            unknown += beyond
        else:
            unknown.append(f"the curve {name}")
    checked = [*figures, *(f"the curve {name}" for name in curves)]
    return Evaluation(checks=(_check(wrong, unknown, checked, _confusion(figures, context.measured)),))


def _holds(name: str, claimed: float, measured: float, options: ClaimOptions) -> bool:
    if name.startswith("accuracy"):
        return claimed <= measured + options.accuracy_tolerance
    return abs(claimed - measured) <= options.relative_tolerance * abs(measured)


def _compare(name: str, claimed: Points, curve: Curve, options: ClaimOptions) -> tuple[list[str], list[str]]:
    """(points that are off every measured series, points beyond all of them).

    Reports rarely use the very rates that are measured, so a point between two measured ones may be as good as the
    better of them: no honest curve is accused for the steepness between two points.
    """
    wrong, beyond = [], []
    for x, y in claimed:
        ranges = [found for series in curve.series if (found := _around(series.points, x, options)) is not None]
        where = f"{name} at {x:,.6g} {curve.x}"
        if not ranges:
            beyond.append(f"{where} (measured elsewhere)")
        elif not any(_on_curve(curve.y, y, low, high, options) for low, high in ranges):
            best = max(high for _, high in ranges)
            wrong.append(f"{where}: claimed {y:,.6g}, measured {best:,.6g}")
    return wrong, beyond


def _around(points: Points, x: float, options: ClaimOptions) -> tuple[float, float] | None:
    """Lowest and highest measured y at x, or of its two neighbours; None beyond the ends."""
    near = [y for at, y in points if abs(at - x) <= options.relative_tolerance * abs(at)]
    if near:
        return min(near), max(near)
    below = max(((at, y) for at, y in points if at < x), default=None)
    above = min(((at, y) for at, y in points if at > x), default=None)
    if below is None or above is None:
        return None
    return min(below[1], above[1]), max(below[1], above[1])


def _on_curve(name: str, claimed: float, low: float, high: float, options: ClaimOptions) -> bool:
    # What holds against both ends, or lies between them.
    return low <= claimed <= high or _holds(name, claimed, high, options) or _holds(name, claimed, low, options)


def _check(wrong: list[str], unknown: list[str], checked: list[str], hint: str | None) -> Check:
    if wrong:
        return Check.failed("claims", "; ".join(wrong), hint)
    if unknown:
        return Check.could_not_check("claims", f"not measured here: {', '.join(unknown)}")
    return Check.passed("claims", f"as claimed: {', '.join(checked)}")


def _confusion(claims: Mapping[str, float], measured: Mapping[str, Metric]) -> str | None:
    """A number of another unit: an accuracy in percent, or a count that is near the size of the file."""
    percent = [name for name, claimed in claims.items() if name.startswith("accuracy") and 1 < claimed <= 100]
    if percent:
        return f"{percent[0]} is a fraction: write {claims[percent[0]] / 100:.6g}"
    claimed, counted = claims.get("parameters"), measured.get("parameters")
    if not claimed or counted is None:
        return None
    for scale, unit in ((1e6, "MB"), (2**20, "MiB")):
        size = f"{counted.value * 4 / scale:.2f}"
        if size.replace(".", "").strip("0") == f"{claimed:.10g}".replace(".", "").strip("0"):
            return f"{size} {unit} is the size of {counted.value:,} parameters at 4 bytes each, not their number"
    return None


@hookimpl
def harness_evaluators() -> Iterable[Evaluator[ClaimOptions]]:
    return [Claims()]
