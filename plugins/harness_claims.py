"""What `submission.toml` claims, compared with what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from harness.api import Check, Context, Evaluation, Evaluator, Metric, Options, Student, hookimpl

_METRICS = {"weights_bytes": "stored_bytes"}
"""Claims that go by another name than the metric."""


class ClaimOptions(Options):
    """`[evaluators.claims]`."""

    accuracy_tolerance: Annotated[float, Field(ge=0, le=1)] = 0.01
    """How far a claimed accuracy may be above the measured one, absolute."""
    relative_tolerance: Annotated[float, Field(ge=0, le=1)] = 0.005
    """How far any other claim may be off, relative."""


class Claims:
    """One check, `claims`: every claimed figure that was measured must be right. No claims, no check.

    List it last in an assignment: it sees what the evaluators before it measured.
    """

    name = "claims"
    Options: ClassVar[type[Options]] = ClaimOptions
    provides = frozenset({"claims"})

    def evaluate(self, student: Student, context: Context) -> Evaluation:
        if not student.claims:
            return Evaluation()
        wrong: list[str] = []
        unknown: list[str] = []
        for name, claimed in student.claims.items():
            metric = context.measured.get(_METRICS.get(name, name))
            if metric is None:
                unknown.append(name)
            elif not _holds(name, claimed, metric, context.options):
                wrong.append(f"{name}: claimed {claimed:,.6g}, measured {metric.value:,.6g}")
        return Evaluation(checks=(_check(wrong, unknown, student.claims, context.measured),))


def _holds(name: str, claimed: float, metric: Metric, options: ClaimOptions) -> bool:
    if name.startswith("accuracy"):
        return claimed <= metric.value + options.accuracy_tolerance
    return abs(claimed - metric.value) <= options.relative_tolerance * abs(metric.value)


def _check(wrong: list[str], unknown: list[str], claims: Mapping[str, float], measured: Mapping[str, Metric]) -> Check:
    if wrong:
        return Check.failed("claims", "; ".join(wrong), _confusion(claims, measured))
    if unknown:
        return Check.could_not_check("claims", f"not measured here: {', '.join(unknown)}")
    return Check.passed("claims", f"as claimed: {', '.join(claims)}")


def _confusion(claims: Mapping[str, float], measured: Mapping[str, Metric]) -> str | None:
    """A claimed count that is near the size in some unit was probably read off the wrong line of a summary."""
    claimed, counted = claims.get("parameters"), measured.get("parameters")
    if not claimed or counted is None:
        return None
    for scale, unit in ((1e6, "MB"), (2**20, "MiB")):
        size = f"{counted.value * 4 / scale:.2f}"
        if size.replace(".", "").strip("0") == f"{claimed:.10g}".replace(".", "").strip("0"):
            return f"{size} {unit} is the size of {counted.value:,} parameters at 4 bytes each, not their number"
    return None


@hookimpl
def harness_evaluators() -> Iterable[Evaluator]:
    return [Claims()]
