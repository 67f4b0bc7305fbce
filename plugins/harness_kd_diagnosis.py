"""Which formula explains the values a KD loss returned.

At one setting (α, T) every loss of the family is A·S + B·H: a soft form S and a hard form H that depend on the batch,
and two numbers A and B that do not. Several batches at the same setting give more equations than unknowns, so each
pair of forms either fits with a residual of rounding size or not at all. The fitted A and B at several settings then
tell factor, reduction and weights. The simplest formula that explains everything wins.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from harness_kd_catalogue import Formula, hard_coded_alpha
from harness_kd_factors import (
    HARD_CODED_ALPHAS,
    HARD_CODED_TEMPERATURES,
    HARD_SCALES,
    POWERS,
    REDUCTIONS,
    WEIGHTS,
    WHOLES,
)
from harness_kd_forms import DIVERGENCES, HARDS, SOFTENINGS, Choice
from harness_kd_reference import Array, Case

STRICT, LOOSE = 1e-7, 3e-4
"""Relative residuals: of functions that compute in float64, and of those that cast to float32."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The same (α, T) tried on several batches, and what came back."""

    cases: tuple[Case, ...]
    values: tuple[float, ...]

    @property
    def alpha(self) -> float:
        return self.cases[0].alpha

    @property
    def temperature(self) -> float:
        return self.cases[0].temperature


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A pair of forms that explains all batches, with its numbers A (of the soft mean) and B per setting."""

    formula: Formula
    soft: Array
    hard: Array
    explained: bool
    """Whether factors, reduction and weights of `formula` explain A and B; otherwise only the forms are meant."""


def explain(settings: Sequence[Setting]) -> Fit | None:
    """The simplest formula for the values, or forms with unexplained numbers, or None.

    Args:
        settings: at least two, with finite values of at least three batches each.
    """
    for tolerance in (STRICT, LOOSE):
        for heats in ((None,), HARD_CODED_TEMPERATURES):
            fits = [fit for heat in heats for fit in _fits(settings, heat, tolerance)]
            explained = [fit for fit in fits if fit.explained]
            if explained:
                return min(explained, key=_complexity)
            if fits and heats == (None,):
                unexplained = min(fits, key=_complexity)
            elif heats == (None,):
                unexplained = None
        if unexplained is not None:
            return unexplained
    return None


def _complexity(fit: Fit) -> tuple[int, int]:
    """Number of mistakes; then the earlier ones in the catalogue's order."""
    order = sum(_RANK[id(choice)] for choice in fit.formula.choices if id(choice) in _RANK)
    return len(fit.formula.mistakes), order


_RANK = {
    id(choice): rank
    for choices in (DIVERGENCES, SOFTENINGS, POWERS, REDUCTIONS, WEIGHTS, HARDS, HARD_SCALES, WHOLES)
    for rank, choice in enumerate(choices)
}


def _fits(settings: Sequence[Setting], heat: float | None, tolerance: float) -> list[Fit]:
    pairs = list(itertools.product(SOFTENINGS, DIVERGENCES))
    cases = [[_heated(case, heat) for case in setting.cases] for setting in settings]
    with np.errstate(all="ignore"):
        soft = np.array([[[_soft(d, s, case) for case in row] for row in cases] for s, d in pairs])
        hard = np.array([[[choice.function(case) for case in row] for row in cases] for choice in HARDS])
    values = np.array([setting.values for setting in settings])
    found = []
    for (index, coefficients) in _solved(soft, hard, values, tolerance):
        softening, divergence = pairs[index[0]]
        formula = Formula(softening=softening, divergence=divergence, hard=HARDS[index[1]], heat=heat)
        if _vanishes(coefficients, formula, soft[index[0]], hard[index[1]], values, tolerance):
            continue
        found += _explained(formula, settings, coefficients, tolerance)
    return found


def _heated(case: Case, heat: float | None) -> Case:
    return case if heat is None else replace(case, temperature=heat)


def _soft(divergence: Choice[Any], softening: Choice[Any], case: Case) -> float:
    return float(divergence.function(softening.function(case)).sum() / len(case.labels))


def _solved(soft: Array, hard: Array, values: Array, tolerance: float) -> list[tuple[tuple[int, int], Array]]:
    """(soft index, hard index) and [settings, 2] numbers of every pair that fits all settings."""
    found = []
    scale = np.linalg.norm(values, axis=1)
    for number, column in enumerate(soft):
        if not np.isfinite(column).all():
            continue
        design = np.stack([np.broadcast_to(column, hard.shape), hard], axis=-1)
        solution = np.einsum("hskb,sb->hsk", np.linalg.pinv(design, rcond=1e-10), values)
        residual = np.linalg.norm(np.einsum("hsbk,hsk->hsb", design, solution) - values, axis=-1)
        fitting = np.flatnonzero((residual <= tolerance * scale + 1e-12).all(axis=-1))
        found += [((number, int(index)), solution[index]) for index in fitting]
    return found


def _vanishes(
    coefficients: Array, formula: Formula, soft: Array, hard: Array, values: Array, tolerance: float
) -> bool:
    """Whether a form is in the fit for nothing: its number is 0, so any other form would do as well."""
    small = 30 * tolerance * np.abs(values).max()
    idle_soft = np.abs(coefficients[:, 0:1] * soft).max() <= small and formula.divergence.name != "hard_only"
    idle_hard = np.abs(coefficients[:, 1:2] * hard).max() <= small and formula.hard.name != "soft_only"
    return bool(idle_soft or idle_hard)


def _explained(
    formula: Formula, settings: Sequence[Setting], coefficients: Array, tolerance: float
) -> list[Fit]:
    """The fit with every combination of factors that gives its numbers; or, with none, the fit alone."""
    soft, hard = coefficients[:, 0], coefficients[:, 1]
    alphas = {round(float(value), 6) for value in (1 - hard[0], hard[0]) if 0 < value < 1}
    weights = (*WEIGHTS, *(hard_coded_alpha(alpha) for alpha in dict.fromkeys((*HARD_CODED_ALPHAS, *alphas))))
    parts: tuple[Sequence[Choice[Any]], ...] = (weights, POWERS, REDUCTIONS, HARD_SCALES, WHOLES)
    expected_soft, expected_hard = _numbers(formula, settings, weights)
    matching = np.ones(len(expected_soft), dtype=bool)
    if formula.divergence.name != "hard_only":
        matching &= np.isclose(expected_soft, soft, rtol=100 * tolerance, atol=0).all(axis=1)
    if formula.hard.name != "soft_only":
        matching &= np.isclose(expected_hard, hard, rtol=100 * tolerance, atol=0).all(axis=1)
    found = []
    for index in np.flatnonzero(matching):
        places = np.unravel_index(index, [len(choices) for choices in parts])
        weight, power, reduction, hard_scale, whole = (
            choices[place] for choices, place in zip(parts, places, strict=True)
        )
        whole_formula = replace(
            formula, weights=weight, power=power, reduction=reduction, hard_scale=hard_scale, whole=whole
        )
        found.append(Fit(whole_formula, soft, hard, explained=True))
    return found or [Fit(formula, soft, hard, explained=False)]


def _numbers(formula: Formula, settings: Sequence[Setting], weights: Sequence[Choice[Any]]) -> tuple[Array, Array]:
    """A and B of every combination, [combinations, settings], in the order of itertools.product."""
    columns = []
    for setting in settings:
        rows, classes = setting.cases[0].student.shape
        heat = setting.temperature if formula.heat is None else formula.heat
        pairs = np.array([choice.function(setting.alpha) for choice in weights])
        power = np.array([choice.function(heat) for choice in POWERS])
        reduction = np.array([choice.function(rows, classes) * rows for choice in REDUCTIONS])
        scale = np.array([choice.function(rows, classes, heat) for choice in HARD_SCALES])
        whole = np.array([choice.function(heat) for choice in WHOLES])
        shape = (len(weights), len(POWERS), len(REDUCTIONS), len(HARD_SCALES), len(WHOLES))
        soft = np.einsum("a,b,c,e->abce", pairs[:, 0], power, reduction, whole)[:, :, :, None, :]
        hard = np.einsum("a,d,e->ade", pairs[:, 1], scale, whole)[:, None, None, :, :]
        columns.append((np.broadcast_to(soft, shape).ravel(), np.broadcast_to(hard, shape).ravel()))
    return np.stack([a for a, _ in columns], axis=1), np.stack([b for _, b in columns], axis=1)


def factors(values: Mapping[str, tuple[float, float]]) -> str:
    """'0.25 of the right value at T=4' for each place, from (found, expected) pairs."""
    return ", ".join(
        f"{found / expected:.4g} times the right value at {where}" if expected else f"{found:.4g} at {where}"
        for where, (found, expected) in values.items()
    )
