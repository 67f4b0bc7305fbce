"""Measure accuracy against parameters of the checkpoints a student hands in: the curves of a report, again.

`submission.toml` lists them, one series per pruning rate or whatever the series are:

    [checkpoints]
    "rate 0.95" = ["r95-1.pt", { file = "r95-2.pt", model_arguments = { width_mult = 0.9025 } }]
"""

from __future__ import annotations

from collections.abc import Iterable

from harness_sizes.canonical import canonical

from harness.api import (
    Check,
    Checkpoint,
    CheckSpec,
    Context,
    Curve,
    Evaluation,
    Evaluator,
    Options,
    PositiveInt,
    Reads,
    Series,
    Student,
    SubmissionError,
    hookimpl,
)
from harness.api.text import clean
from harness.api.weights import nonzero_elements
from harness_curves.points import Point, Ruler, series

_NAME = "measured_curve"


class MeasuredOptions(Options):
    """`[evaluators.measured_curve]`."""

    most: PositiveInt = 20
    """Measure at most so many checkpoints of a submission; each costs one pass over the images."""
    images: PositiveInt | None = None
    """Measure on this many of the graded images, evenly spaced, to save time; absent: on all."""


class MeasuredCurve:
    """Measures accuracy against parameters for the further checkpoints that a student hands in.

    x is the parameters that are not zero, as `parameters_nonzero` counts them; points stand in the order given. A
    checkpoint that cannot be used is left out and named in the check; the others are measured.
    """

    name = _NAME
    Options = MeasuredOptions
    metrics = ()
    checks = (CheckSpec(_NAME),)
    reads: frozenset[Reads] = frozenset({"network", "images", "hand_in"})

    def evaluate(self, student: Student, context: Context[MeasuredOptions]) -> Evaluation:
        ruler = Ruler.of(student, context, context.options.images)
        lines: list[Series] = []
        problems: list[str] = []
        left = context.options.most
        for label, checkpoints in student.checkpoints.items():
            points = []
            for each in checkpoints[:left]:
                try:
                    points.append(_point(ruler, each))
                except SubmissionError as error:
                    problems.append(f"{clean(each.file, 80)}: {error}")
            left -= len(checkpoints[:left])
            if points:
                lines.append(series(label, points, of_student=True))
        curve = Curve(name="measured", x="parameters", y="accuracy", series=tuple(lines))
        return Evaluation(checks=_checks(student, problems, context.options.most), curves=(curve,) if lines else ())


def _point(ruler: Ruler, checkpoint: Checkpoint) -> Point:
    network = ruler.student.load(checkpoint)
    beside = {"bytes": len(canonical(network))}
    macs = ruler.counted.macs(network)
    x = nonzero_elements(network.decoded, network.facts.aliases)
    return Point(x, ruler.accuracy(network=network), beside | ({} if macs is None else {"macs": macs}))


def _checks(student: Student, problems: list[str], most: int) -> tuple[Check, ...]:
    count = sum(map(len, student.checkpoints.values()))
    if count > most:
        problems = [*problems, f"{count - most} more than the {most} that are measured"]
    if not count:
        hint = 'list the weights of your curve in submission.toml: [checkpoints] "rate 0.95" = ["one.pt", "two.pt"]'
        return (Check.could_not_check(_NAME, "no checkpoints are listed", hint),)
    if problems:
        return (Check.could_not_check(_NAME, f"of {count} checkpoints: {'; '.join(problems)}"),)
    return (Check.passed(_NAME, f"{count} checkpoints measured"),)


@hookimpl
def harness_evaluators() -> Iterable[Evaluator[MeasuredOptions]]:
    return [MeasuredCurve()]
