"""Compare networks with a large one: what a report on distillation or on kinds of convolution has to show.

The large network is the assignment's `[teacher]`, or the submission's own `teacher` in submission.toml; the others are
the graded network and those that submission.toml lists:

    [methods]
    "from scratch" = "scratch.pt"
    "depthwise" = { file = "depthwise.pt", entry_point = "DepthwiseNet" }
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from harness_accuracy import accuracy
from harness_curves.points import evenly, subset
from harness_sizes.canonical import Stored, canonical
from numpy.typing import NDArray

from harness.api import (
    Check,
    CheckSpec,
    Context,
    Evaluation,
    Evaluator,
    Examples,
    Metric,
    MetricSpec,
    Network,
    Options,
    PositiveInt,
    Reads,
    Row,
    Student,
    SubmissionError,
    Table,
    hookimpl,
)
from harness.api.logits import predicted_classes
from harness.api.statistics import mcnemar
from harness.api.text import clean
from harness.api.weights import stored_elements

_NAME = "compare"
_SMALLER = "smaller_than_teacher"
_COLUMNS = ("parameters", "canonical bytes", "MACs", "accuracy", "difference", "p (McNemar)")
TEACHER_ACCURACY = MetricSpec(
    "teacher_accuracy", unit="fraction", higher_is_better=True, title="accuracy of the large network"
)
DIFFERENCE = MetricSpec(
    "difference_to_teacher", unit="fraction", higher_is_better=True, title="difference to the large network"
)
_Z = 1.959963984540054  # 97.5 % quantile of the normal distribution

Bits = NDArray[np.bool_]


class CompareOptions(Options):
    """`[evaluators.compare]`."""

    teacher: Literal["assignment", "submission"] = "assignment"
    """Whose large network the others are compared with."""
    images: PositiveInt | None = None
    """Compare on this many of the graded images, evenly spaced, to save time; absent: on all."""


@dataclass(frozen=True, eq=False)
class _Measured:
    label: str
    parameters: int
    size: int
    macs: int | None
    correct: Bits
    of_student: bool = False
    """Whether the label is in the student's own words."""


class Compare:
    """Compares handed-in methods in a table: parameters, bytes, MACs, and accuracy against the large network's.

    The bytes are canonical ones. The difference is paired: on the same images, with its 95 % interval, and the exact
    two-sided p value of McNemar's test, not corrected for the number of rows. `smaller_than_teacher` compares stored
    parameters. A network that cannot be used is left out and named in the check `compare`.
    """

    name = _NAME
    Options = CompareOptions
    metrics = (TEACHER_ACCURACY, DIFFERENCE)
    checks = (CheckSpec(_NAME), CheckSpec(_SMALLER, about="weights"))
    reads: frozenset[Reads] = frozenset({"network", "images", "hand_in"})

    def evaluate(self, student: Student, context: Context[CompareOptions]) -> Evaluation:
        options = context.options
        chosen = evenly(len(context.examples.labels), options.images or len(context.examples.labels))
        graded = subset(context.examples, chosen)
        try:
            large = _large(student, context, graded, chosen)
        except SubmissionError as error:
            return Evaluation(checks=(Check.could_not_check(_NAME, str(error), error.hint),))
        own = _measured(student, student, "as handed in", graded)
        others, problems = _methods(student, graded)
        rows = tuple(_row(each, large) for each in (large, own, *others))
        checks = [_smaller(own, large)]
        if problems:
            checks.append(Check.could_not_check(_NAME, "; ".join(problems)))
        return Evaluation(
            metrics={
                TEACHER_ACCURACY.name: accuracy(large.correct),
                DIFFERENCE.name: difference(own.correct, large.correct),
            },
            checks=tuple(checks),
            tables=(Table(name="methods", columns=_COLUMNS, rows=rows),),
        )


def difference(one: Bits, other: Bits) -> Metric:
    """Accuracy of `one` less that of `other` on the same images, with the paired 95 % interval by Wald.

    b and c are the images that only one of the two has right: (b - c)/n ± z·sqrt(b + c - (b - c)²/n)/n.
    """
    n = len(one)
    b, c = int((one & ~other).sum()), int((~one & other).sum())
    middle, half = (b - c) / n, _Z * math.sqrt(b + c - (b - c) ** 2 / n) / n
    return DIFFERENCE.of(middle, middle - half, middle + half)


def _large(
    student: Student, context: Context[CompareOptions], graded: Examples, chosen: np.ndarray[Any, Any]
) -> _Measured:
    """Raises SubmissionError when there is none, or it cannot be used."""
    if context.options.teacher == "assignment":
        teacher = context.teacher()
        if teacher is None:
            raise SubmissionError.rejected("the assignment has no [teacher] to compare with")
        correct = teacher.predictions[chosen] == graded.labels
        return _sized(teacher, clean(teacher.label, 80), teacher.macs, correct)
    if student.teacher is None:
        hint = 'write the large network\'s weights into submission.toml: teacher = "teacher.pt"'
        raise SubmissionError.rejected("no teacher was handed in to compare with", hint)
    network = student.load(student.teacher)
    return _measured(network, network, "teacher", graded)


def _methods(student: Student, graded: Examples) -> tuple[list[_Measured], list[str]]:
    found, problems = [], []
    for label, checkpoint in student.methods.items():
        try:
            network = student.load(checkpoint)
            measured = _measured(network, network, clean(label, 80), graded)
            found.append(replace(measured, of_student=True))
        except SubmissionError as error:
            problems.append(f"{clean(label, 80)}: {error}")
    return found, problems


def _measured(network: Network, stored: Stored, label: str, graded: Examples) -> _Measured:
    correct = predicted_classes(network.logits(graded.images)).numpy() == graded.labels
    try:
        macs = network.macs()
    except SubmissionError:  # what cannot be counted can be compared nevertheless
        macs = None
    return _sized(stored, label, macs, correct)


def _sized(stored: Stored, label: str, macs: int | None, correct: Bits) -> _Measured:
    parameters = stored_elements(stored.decoded, stored.facts.aliases)
    return _Measured(label, parameters, len(canonical(stored)), macs, correct)


def _row(network: _Measured, large: _Measured) -> Row:
    numbers = (
        _number(network.parameters, "parameters"),
        _number(network.size, "bytes"),
        None if network.macs is None else _number(network.macs, ""),
        accuracy(network.correct),
    )
    if network is large:
        return Row(label=network.label, cells=(*numbers, None, None), of_student=network.of_student)
    only = (network.correct & ~large.correct).sum(), (~network.correct & large.correct).sum()
    p = float(mcnemar(np.array([only[0]]), np.array([only[1]]))[0])
    cells = (*numbers, difference(network.correct, large.correct), _p(p))
    return Row(label=network.label, cells=cells, of_student=network.of_student)


def _number(value: int, unit: str) -> Metric:
    return Metric(value=value, unit=unit, higher_is_better=False)


def _p(value: float) -> str:
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"


def _smaller(own: _Measured, large: _Measured) -> Check:
    said = f"{own.parameters:,} parameters, {clean(large.label)} has {large.parameters:,}"
    if own.parameters < large.parameters:
        return Check.passed(_SMALLER, f"{said}: {large.parameters / max(1, own.parameters):.1f} times as many")
    return Check.failed(_SMALLER, said, "the network that learns has to be smaller than the one that teaches")


@hookimpl
def harness_evaluators() -> Iterable[Evaluator[CompareOptions]]:
    return [Compare()]
