"""Describe a whole KD loss as one choice per part, and name the mistakes worth naming.

L = whole · ( weight · power of T · divergence(softening), reduced  +  weight · hard term, scaled )
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from harness_kd.factors import HARD_SCALES, POWERS, REDUCTIONS, WEIGHTS, WHOLES, HardScale, Power, Reduction, Weights
from harness_kd.hard_terms import HARDS, Hard
from harness_kd.reference import Array, Case
from harness_kd.terms import DIVERGENCES, SOFTENINGS, Choice, Divergence, Softening

PARTS: dict[str, tuple[Choice[Any], ...]] = {
    "divergence": DIVERGENCES,
    "softening": SOFTENINGS,
    "power": POWERS,
    "reduction": REDUCTIONS,
    "weights": WEIGHTS,
    "hard": HARDS,
    "hard_scale": HARD_SCALES,
    "whole": WHOLES,
}


@dataclass(frozen=True, slots=True)
class Formula:
    """One way to write the whole loss; the defaults are the right one.

    Attributes:
        heat: a temperature written into the code in place of T.
    """

    divergence: Choice[Divergence] = DIVERGENCES[0]
    softening: Choice[Softening] = SOFTENINGS[0]
    power: Choice[Power] = POWERS[0]
    reduction: Choice[Reduction] = REDUCTIONS[0]
    weights: Choice[Weights] = WEIGHTS[0]
    hard: Choice[Hard] = HARDS[0]
    hard_scale: Choice[HardScale] = HARD_SCALES[0]
    whole: Choice[Power] = WHOLES[0]
    heat: float | None = None

    def value(self, case: Case) -> float:
        """The loss this formula gives for one case, in float64."""
        case = self.with_heat(case)
        rows, classes = case.student.shape
        soft_weight, hard_weight = self.weights.function(case.alpha)
        soft = float(self.divergence.function(self.softening.function(case)).sum())
        soft *= soft_weight * self.power.function(case.temperature) * self.reduction.function(rows, classes)
        hard = hard_weight * self.hard.function(case)
        hard *= self.hard_scale.function(rows, classes, case.temperature)
        return self.whole.function(case.temperature) * (soft + hard)

    def gradient(self, case: Case, step: float = 1e-5) -> Array:
        """dL/d(student logits) by central differences, good to about 1e-9 of its scale."""
        found = np.empty_like(case.student)
        for place in np.ndindex(*case.student.shape):
            up, down = case.student.copy(), case.student.copy()
            up[place] += step
            down[place] -= step
            change = self.value(replace(case, student=up)) - self.value(replace(case, student=down))
            found[place] = change / (2 * step)
        return found

    def with_heat(self, case: Case) -> Case:
        return case if self.heat is None else replace(case, temperature=self.heat)

    @property
    def soft_form(self) -> str:
        """The divergence, as it reads with this softening."""
        student, teacher = self.softening.logits or ("s", "t")
        return self.divergence.formula.format(s=student, t=teacher)

    @property
    def hard_coded(self) -> frozenset[float]:
        """Numbers that stand in place of T and α."""
        alpha = {self.weights.function(0.25)[0]} if self.weights.name == "alpha_hard_coded" else set()
        return frozenset(alpha | ({self.heat} if self.heat is not None else set()))

    @property
    def choices(self) -> list[Choice[Any]]:
        return [getattr(self, part) for part in PARTS]

    @property
    def mistakes(self) -> list[Choice[Any]]:
        """The wrong choices, those left out that belong to another one; a known pair counts once."""
        natural = frozenset[str]().union(*(choice.natural for choice in self.choices))
        wrong = [choice for choice in self.choices if not choice.right and choice.name not in natural]
        if self.heat is not None:
            wrong.append(hard_coded_temperature(self.heat))
        for names, together in TOGETHER.items():
            if names <= {choice.name for choice in wrong}:
                wrong = [together, *(choice for choice in wrong if choice.name not in names)]
        return wrong

    def __str__(self) -> str:
        soft_weight, hard_weight = self.weights.formula.split(",")
        soft = _product(soft_weight, self.power.formula, self.soft_form, self.reduction.formula)
        hard = _product(hard_weight, "", self.hard.formula, self.hard_scale.formula)
        total = " + ".join(term for term in (soft, hard) if term) or "0"
        if self.whole.formula:
            total = f"{self.whole.formula}{'' if self.whole.formula == '-' else '·'}({total})"
        plain = self.softening.right or self.softening.name in self.divergence.natural
        where = "" if plain else f" with {self.softening.formula}"
        return f"{total}{where}{'' if self.heat is None else f', T={self.heat:g} always'}"


def _product(weight: str, power: str, term: str, scale: str) -> str:
    return "" if term == "0" else "·".join(part for part in (weight, power, term) if part) + scale


TOGETHER: dict[frozenset[str], Choice[None]] = {
    frozenset({"ignored", "no_factor"}): Choice(
        "temperature_unused", "α·KL(softmax(t)‖softmax(s)) + (1-α)·CE(s, y)", None,
        "T is not used at all", "at T=1 nothing changes",
        "divide both sets of logits by T, and multiply the soft term by T²", r"softmax\("),
    frozenset({"reverse_kl", "teacher_ce"}): Choice(
        "student_and_teacher_swapped", "α·T²·KL(q‖p) + (1-α)·CE(t, y)", None,
        "student and teacher are swapped everywhere", "both are just logits of the same shape",
        "check the order of the arguments", r"def |lambda|return"),
}  # fmt: skip


def hard_coded_temperature(heat: float) -> Choice[None]:
    return Choice(
        "temperature_hard_coded", f"T = {heat:g}", None,
        f"T is hard-coded as {heat:g}", "it is the value one trained with",
        "use the temperature that is passed in", rf"\b{heat:g}\b")  # fmt: skip


def hard_coded_alpha(alpha: float) -> Choice[Weights]:
    """Weights that do not depend on α, as precise as they are shown."""
    alpha = float(f"{alpha:.6g}")
    return Choice(
        "alpha_hard_coded", f"{alpha:.6g},{1 - alpha:.6g}", lambda _: (alpha, 1 - alpha),
        f"α is hard-coded as {alpha:.6g}", "it is the value one trained with", "use the α that is passed in",
        rf"\b{alpha:.6g}\b|return")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mistake:
    """One entry of the catalogue: a name and the formula of a loss with that mistake alone."""

    name: str
    formula: Formula
    choice: Choice[Any] = field(repr=False)


def mistakes() -> Iterator[Mistake]:
    """Every single mistake, in the order of the guide."""
    for part, choices in PARTS.items():
        for choice in choices:
            if not choice.right:
                yield Mistake(choice.name, _alone(part, choice), choice)
    for names, together in TOGETHER.items():
        parts = {part: choice for part, choices in PARTS.items() for choice in choices if choice.name in names}
        yield Mistake(together.name, _formula(parts), together)
    yield Mistake("alpha_hard_coded", Formula(weights=hard_coded_alpha(0.5)), hard_coded_alpha(0.5))
    yield Mistake("temperature_hard_coded", Formula(heat=4.0), hard_coded_temperature(4.0))


_USUAL: dict[str, dict[str, str]] = {
    "mse_logits": {"softening": "ignored", "reduction": "mean", "power": "no_factor"},
    "mse_probabilities": {"reduction": "mean", "power": "no_factor"},
    "teacher_argmax": {"softening": "ignored", "power": "no_factor"},
    "t_squared_on_all": {"power": "no_factor"},
    "t_on_all": {"power": "no_factor"},
}
"""How the other parts usually read beside these."""


def named(part: str, name: str) -> Choice[Any]:
    return next(choice for choice in PARTS[part] if choice.name == name)


def _alone(part: str, choice: Choice[Any]) -> Formula:
    others = {other: named(other, name) for other, name in _USUAL.get(choice.name, {}).items()}
    return _formula({part: choice, **others})


def _formula(parts: dict[str, Choice[Any]]) -> Formula:
    return replace(Formula(), **parts)  # type: ignore[arg-type]  # the keys are names of parts


NAN_MISTAKES: dict[str, Choice[None]] = {
    "log_target_missing": Choice(
        "log_target_missing", "kl_div(log q, log p)", None,
        "kl_div gets log-probabilities as its target without log_target=True, and takes their logarithm again",
        "two log_softmax calls look symmetric", "use softmax for the teacher, or pass log_target=True",
        r"kl_div|KLDivLoss"),
    "kl_div_reversed": Choice(
        "kl_div_reversed", "kl_div(p, log q)", None,
        "the arguments of kl_div are reversed: its target holds the student's log-probabilities",
        "KL(p‖q) names the teacher first", "kl_div(log_softmax(student / T), softmax(teacher / T))",
        r"kl_div|KLDivLoss|kl\w*\("),
    "log_of_logits": Choice(
        "log_of_logits", "log(s/T)", None,
        "a logarithm is taken of raw logits, which are negative here (with positive logits it is finite)",
        "kl_div asks for logarithms", "use log_softmax(logits / T, dim=1) instead of log(logits)",
        r"log\(|kl_div|KLDivLoss"),
    "unknown": Choice(
        "unknown", "NaN", None, "a logarithm of a negative number, a division by zero or the like is in it", "",
        "print each term for random logits and see which one it is"),
}  # fmt: skip
"""Mistakes that give NaN on ordinary logits, so that no value can be compared."""
