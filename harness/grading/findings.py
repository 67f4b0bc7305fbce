"""Collect what is found out about one submission, whatever happens to it."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.errors import PluginError, of_machine
from harness.text import clean
from harness.values.evaluation import Evaluation
from harness.values.measured import Measured
from harness.values.measures import Check
from harness.values.networks import Layer, ModelFacts, Verification
from harness.vocabulary import Status

if TYPE_CHECKING:
    from harness.networks.opening import Opening

_LAST_TRACEBACK_LINES = 12
_MAX_LAYERS_KEPT = 300
_NAME_CHARACTERS = 80
_MAX_DIMENSIONS = 8
_MAX_SIZE = 10**12


@dataclass
class Findings:
    """What is known of one submission so far; grows while evaluators run and survives their failures."""

    status: Status = "graded"
    reason: str | None = None
    hint: str | None = None
    evaluation: Evaluation = field(default_factory=Evaluation)
    """What all evaluators so far found out together."""
    network: Verification | None = None
    layers: tuple[Layer, ...] = ()
    notes: list[str] = field(default_factory=list)
    printed: str = ""
    parts: dict[str, Measured] = field(default_factory=dict)
    """What each evaluator contributed."""

    def add(self, name: str, found: Evaluation, checks: tuple[Check, ...], part: Measured) -> None:
        """What an evaluator found, with all of its checks."""
        self.evaluation = self.evaluation.joined(found.model_copy(update={"checks": checks}))
        self.parts[name] = part

    def end(self, status: Status, reason: str | None, hint: str | None) -> None:
        self.status, self.reason, self.hint = status, reason, hint


@contextmanager
def recording(opening: Opening, found: Findings) -> Iterator[None]:
    """Keep the hand-in's notes and prints whatever happens, and end its processes."""
    try:
        with opening:
            yield
    finally:
        found.notes += opening.notes
        found.printed = opening.printed


def unchecked(names: Iterable[str]) -> Evaluation:
    """Leave these checks to a person: there is no network to check."""
    reason = "only predictions were handed in, without the network"
    hint = "a person has to decide, or hand in the network"
    return Evaluation(checks=tuple(Check.could_not_check(name, reason, hint) for name in names))


def accident(error: Exception) -> Findings:
    """Blame ourselves, a plugin or the machine, with the end of the traceback."""
    lines = traceback.format_exception(error)[-_LAST_TRACEBACK_LINES:]
    machine = of_machine(error)
    if machine is not None:
        reason, hint = f"the grader's machine failed: {machine}", "repair that, and the same command grades it again"
    elif isinstance(error, PluginError):
        reason, hint = (
            str(error),
            "this is not the student's fault; once the plugin is mended, the same command grades it",
        )
    else:
        reason = f"the harness itself failed: {type(error).__name__}: {error}"
        hint = "this is not the student's fault; please report it"
    return Findings(
        "harness_error",
        reason,
        hint,
        printed="".join(lines),
    )


def layers(facts: ModelFacts) -> tuple[Layer, ...]:
    """What a result keeps of the worker's layer table: so many lines, short names, possible numbers."""
    return tuple(
        Layer(name=clean(name, _NAME_CHARACTERS), kind=clean(kind, _NAME_CHARACTERS), output=output, parameters=count)
        for name, kind, output, count in facts.layers[:_MAX_LAYERS_KEPT]
        if len(output) <= _MAX_DIMENSIONS and all(0 <= size <= _MAX_SIZE for size in (*output, count))
    )
