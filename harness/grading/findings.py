"""Collect what is found out about one submission, whatever happens to it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from harness.networks.student import SandboxedStudent
from harness.text import clean
from harness.values.curves import Curve, Table
from harness.values.evaluation import Correct, Evaluation
from harness.values.measures import Check, Metric
from harness.values.networks import Layer, ModelFacts
from harness.vocabulary import Status

_LAST_TRACEBACK_LINES = 12


@dataclass
class _Findings:
    """What is known of one submission so far; grows while evaluators run and survives their failures."""

    status: Status = "graded"
    reason: str | None = None
    hint: str | None = None
    metrics: dict[str, Metric] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    predictions: tuple[int, ...] | None = None
    correct: Correct | None = None
    confusion: tuple[tuple[int, ...], ...] | None = None
    layers: tuple[Layer, ...] = ()
    notes: list[str] = field(default_factory=list)
    printed: str = ""

    def add(self, evaluation: Evaluation) -> None:
        self.metrics |= evaluation.metrics
        self.checks += evaluation.checks
        self.curves += evaluation.curves
        self.tables += evaluation.tables
        self.predictions = evaluation.predictions if evaluation.predictions is not None else self.predictions
        self.confusion = evaluation.confusion if evaluation.confusion is not None else self.confusion
        self.correct = evaluation.correct or self.correct

    def end(self, status: Status, reason: str | None, hint: str | None) -> None:
        self.status, self.reason, self.hint = status, reason, hint


@contextmanager
def _recording(student: SandboxedStudent, found: _Findings) -> Iterator[None]:
    """Keep the student's notes and prints whatever happens, and end its worker."""
    try:
        with student:
            yield
    finally:
        found.notes = list(student.notes)
        found.printed = student.printed


def _unchecked(name: str) -> Check:
    return Check.could_not_check(
        name, "only predictions were handed in, without the network", "a person has to decide, or hand in the network"
    )


def _accident(error: Exception) -> _Findings:
    lines = traceback.format_exception(error)[-_LAST_TRACEBACK_LINES:]
    return _Findings(
        "harness_error",
        f"the harness itself failed: {type(error).__name__}: {error}",
        "this is not the student's fault; please report it",
        printed="".join(lines),
    )


_MAX_LAYERS_KEPT = 300
_NAME_CHARACTERS = 80
_MAX_DIMENSIONS = 8
_MAX_SIZE = 10**12


def layers(facts: ModelFacts) -> tuple[Layer, ...]:
    """What a result keeps of the worker's layer table: so many lines, short names, possible numbers."""
    return tuple(
        Layer(name=clean(name, _NAME_CHARACTERS), kind=clean(kind, _NAME_CHARACTERS), output=output, parameters=count)
        for name, kind, output, count in facts.layers[:_MAX_LAYERS_KEPT]
        if len(output) <= _MAX_DIMENSIONS and all(0 <= size <= _MAX_SIZE for size in (*output, count))
    )
