"""Define what judging a KD loss is made of: the rules, what counts as right, and what a judgement says."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.api import Verdict
from harness_kd.catalogue import PARTS, Formula, mistakes
from harness_kd.diagnosis import Fit
from harness_kd.reference import Array, Case, Probe, gradient, loss, softmax, within
from harness_kd.reply import Outcome, Reading

JUDGED = ("grid", "half", "elsewhere")


@dataclass(frozen=True, slots=True)
class JudgingRules:
    """What the assignment allows beyond the reference."""

    accept: frozenset[str] = frozenset()
    stability: Literal["warn", "fail"] = "warn"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict, why (a clause about the function), and what to change or look at.

    Attributes:
        fit: the forms behind the values, where they were looked for and found; `stated` when the reason names them all.
    """

    verdict: Verdict
    reason: str
    hint: str | None = None
    fit: Fit | None = None
    stated: bool = False

    @property
    def passed(self) -> bool:
        return self.verdict == "passed"


@dataclass(frozen=True, slots=True)
class Expected:
    """A loss that counts as right: the reference, or a form the assignment accepts."""

    value: Callable[[Case], float]
    gradient: Callable[[Case], Array]
    words: str


REFERENCE = Expected(loss, gradient, "the reference")


def accepted(names: frozenset[str]) -> Iterator[Expected]:
    """The reference, then every combination of the accepted forms, at most one per part."""
    yield REFERENCE
    formulas = [mistake.formula for mistake in mistakes() if mistake.name in names]
    for formula in formulas:
        yield Expected(formula.value, formula.gradient, f"the accepted form {formula}")
    for first, second in itertools.combinations(formulas, 2):
        both = _combined(first, second)
        if both is not None:
            yield Expected(both.value, both.gradient, f"the accepted form {both}")


def _combined(first: Formula, second: Formula) -> Formula | None:
    changed = [{part for part in PARTS if not getattr(each, part).right} for each in (first, second)]
    if changed[0] & changed[1] or first.heat or second.heat:
        return None
    pairs = zip((first, second), changed, strict=True)
    return Formula(**{part: getattr(each, part) for each, parts in pairs for part in parts})


def values_agree(reading: Reading, expected: Expected) -> bool:
    return not disagreeing(reading, expected)


def disagreeing(reading: Reading, expected: Expected) -> list[Outcome]:
    """Judged outcomes whose value is not the expected one; raising at the edges is none of them."""
    return [
        each for each in reading.of(*JUDGED)
        if not (each.kind == "raised" and each.probe.purpose != "grid")
        and (each.value is None or not within(each.value, expected.value(each.probe.case), each.probe))
    ]  # fmt: skip


def at(probe: Probe) -> str:
    return f"at α={probe.case.alpha:g}, T={probe.case.temperature:g}"


def side_effect(reading: Reading) -> Judgement | None:
    outcomes = reading.of(*JUDGED)
    mutated = sorted({name for each in outcomes for name in each.mutated})
    if mutated:
        return Judgement("failed", f"it changes its inputs in place ({', '.join(mutated)})",
                         "write `s = s / T` instead of `s /= T`, and no function ending in an underscore")  # fmt: skip
    if any(each.repeat_differs for each in outcomes):
        return RANDOM
    return None


RANDOM = Judgement(
    "failed",
    "a second call with the same inputs gives another value",
    "a loss has no randomness (dropout, noise) and keeps nothing between calls",
)


def hard_gradient(case: Case) -> Array:
    hard = softmax(case.student)
    hard[np.arange(len(case.labels)), case.labels] -= 1
    return hard


def residual(design: Array, values: Array) -> float:
    solution = np.linalg.lstsq(design, values.ravel(), rcond=None)[0]
    rest = np.linalg.norm(design @ solution - values.ravel())
    return float(rest / max(float(np.linalg.norm(values)), 1e-300))
