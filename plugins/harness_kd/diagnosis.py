"""Find the formula that explains the values a KD loss returned, by least squares.

At one setting (α, T) every loss of the family is A·S + B·H: a soft form S and a hard form H that depend on the batch,
and two numbers A and B that do not. Several batches at the same setting give more equations than unknowns, so each
pair of forms either fits with a residual of rounding size or not at all. The fitted A and B at several settings then
tell factor, reduction and weights. The simplest formula that explains everything wins.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness_kd.catalogue import Formula, hard_coded_alpha
from harness_kd.factors import (
    HARD_CODED_ALPHAS,
    HARD_CODED_TEMPERATURES,
    HARD_SCALES,
    POWERS,
    REDUCTIONS,
    WEIGHTS,
    WHOLES,
)
from harness_kd.hard_terms import HARDS
from harness_kd.reference import Array, Case, batches, soft_half
from harness_kd.terms import DIVERGENCES, SOFTENINGS, Choice

STRICT, LOOSE = 1e-7, 3e-4
"""Relative residuals: of functions that compute in float64, and of those that cast to float32."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One (α, T) tried on each of `batches(classes)`, and what came back: all finite."""

    alpha: float
    temperature: float
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What is to be explained, and the numbers that stand in the source."""

    classes: int
    settings: Sequence[Setting]
    literals: frozenset[float]


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A pair of forms that explains all batches, with its numbers A (of the soft mean) and B per setting."""

    formula: Formula
    soft: Array
    hard: Array
    explained: bool
    """Whether factors, reduction and weights of `formula` explain A and B; else only its forms are meant."""


@dataclass(frozen=True, slots=True, eq=False)
class FitTable:
    """All forms on all batches at one (α, T).

    Attributes:
        soft: [softenings × divergences, batches]; rows that are not finite belong to no function.
        hard: [hard forms, batches].
        inverse: [soft, hard, 2, batches]; times the values it gives A and B.
    """

    soft: Array
    hard: Array
    inverse: Array


_PAIRS = tuple(itertools.product(SOFTENINGS, DIVERGENCES))
_COMMON = len(DIVERGENCES) * 3
"""Pairs with the first softenings, enough beside a hard-coded T, of which many have to be tried."""


def explain(
    classes: int,
    settings: Sequence[Setting],
    others: Sequence[tuple[Case, float]] = (),
    *,
    fixed: float | None = None,
    literals: frozenset[float] = frozenset(),
) -> Fit | None:
    """The simplest formula for the values, or forms with unexplained numbers, or None.

    Args:
        settings: at least two.
        others: further cases with their float32 values; they tell apart what N and C make look alike.
        fixed: the value at α=1 on the first batch, if it is known not to depend on T: one may be hard-coded.
        literals: numbers that stand in the source; they come before others that fit.
    """
    if not any(any(setting.values) for setting in settings):
        return None  # Nothing times any form explains zeros.
    heats: list[float] = []
    if fixed is not None:
        written = sorted(each for each in literals if 0 < each < 1000 and each != 1)
        heats = list(dict.fromkeys((*written, *HARD_CODED_TEMPERATURES, *_solved(batches(classes)[0], fixed))))
    seen = _Seen(classes, settings, literals)
    for tolerance in (STRICT, LOOSE):
        fits = _fits(seen, None, tolerance)
        if not any(fit.explained for fit in fits):
            fits += [fit for heat in heats for fit in _fits(seen, heat, tolerance)]
        if fits:
            ordered = sorted(fits, key=lambda fit: _complexity(fit, literals))
            holding = (fit for fit in ordered if fit.explained and _holds(fit.formula, others))
            # A right formula that does not hold everywhere is no other formula: something is made an exception of.
            right = ordered[0].explained and not ordered[0].formula.mistakes
            return next(holding, replace(ordered[0], explained=right))
    return None


def _holds(formula: Formula, others: Sequence[tuple[Case, float]]) -> bool:
    """Whether the formula, evaluated, gives every value that was returned."""
    return all(
        abs(formula.value(case) - value) <= 3e-4 * abs(value) + 2e-5 * max(1.0, case.temperature**2)
        for case, value in others
    )


def _solved(case: Case, value: float) -> list[float]:
    """Temperatures, to three decimals, at which the right soft half, or one without T², has that value."""
    from scipy.optimize import brentq

    grid = np.geomspace(0.2, 100, 120)
    found: list[float] = []
    for power in (2, 0):

        def excess(heat: float, power: int = power) -> float:
            return heat ** (power - 2) * soft_half(replace(case, temperature=float(heat))) - value

        signs = np.sign([excess(heat) for heat in grid])
        crossings = np.flatnonzero(signs[:-1] * signs[1:] < 0)
        found += [round(float(brentq(excess, grid[place], grid[place + 1])), 3) for place in crossings]
    # At T = 1 the formula without T explains it more simply.
    return [heat for heat in found if heat != 1][:6]


def _complexity(fit: Fit, literals: frozenset[float]) -> tuple[bool, bool, int, int]:
    """Unexplained last; numbers nobody wrote late; then by the number of mistakes; then in the catalogue's order."""
    order = sum(_RANK.get(id(choice), 0) for choice in fit.formula.choices)
    foreign = bool(literals) and not fit.formula.hard_coded <= literals
    return not fit.explained, foreign, len(fit.formula.mistakes), order


_RANK = {
    id(choice): rank
    for choices in (DIVERGENCES, SOFTENINGS, POWERS, REDUCTIONS, WEIGHTS, HARDS, HARD_SCALES, WHOLES)
    for rank, choice in enumerate(choices)
}


@functools.lru_cache(maxsize=128)
def _table(classes: int, alpha: float, temperature: float, pairs: int) -> FitTable:
    cases = [replace(case, alpha=alpha, temperature=temperature) for case in batches(classes)]
    with np.errstate(all="ignore"):
        soft = np.array([[_soft_mean(d, s, case) for case in cases] for s, d in _PAIRS[:pairs]])
    hard = np.array([[choice.function(case) for case in cases] for choice in HARDS])
    shape = (len(soft), *hard.shape)
    design = np.stack([np.broadcast_to(np.nan_to_num(soft)[:, None, :], shape), np.broadcast_to(hard, shape)], axis=-1)
    return FitTable(soft, hard, np.linalg.pinv(design, rcond=1e-10))


def _soft_mean(divergence: Choice[Any], softening: Choice[Any], case: Case) -> float:
    return float(divergence.function(softening.function(case)).sum() / len(case.labels))


def _fits(seen: _Seen, heat: float | None, tolerance: float) -> list[Fit]:
    settings = seen.settings
    pairs = len(_PAIRS) if heat is None else _COMMON
    tables = [_table(seen.classes, each.alpha, heat or each.temperature, pairs) for each in settings]
    solutions = [np.einsum("fhkb,b->fhk", t.inverse, each.values) for t, each in zip(tables, settings, strict=True)]
    fitting = np.ones(solutions[0].shape[:2], dtype=bool)
    for table, setting, solution in zip(tables, settings, solutions, strict=True):
        values = np.array(setting.values)
        with np.errstate(invalid="ignore"):
            soft = solution[:, :, :1] * table.soft[:, None, :]
            rest = np.linalg.norm(soft + solution[:, :, 1:] * table.hard - values, axis=-1)
            fitting &= rest <= tolerance * np.linalg.norm(values) + 1e-12
    found = []
    for row, column in np.argwhere(fitting):
        softening, divergence = _PAIRS[row]
        formula = Formula(softening=softening, divergence=divergence, hard=HARDS[column], heat=heat)
        numbers = np.array([solution[row, column] for solution in solutions])
        parts = (np.array([t.soft[row] for t in tables]), np.array([t.hard[column] for t in tables]))
        if not _idle(formula, numbers, parts, 30 * tolerance * max(max(map(abs, s.values)) for s in settings)):
            found += _explained(seen, formula, numbers, tolerance)
    return found


def _idle(formula: Formula, numbers: Array, parts: tuple[Array, Array], small: float) -> bool:
    """Whether a form is in the fit for nothing: its number is 0, so any other form would do as well."""
    soft, hard = (np.abs(numbers[:, k : k + 1] * parts[k]).max() <= small for k in (0, 1))
    return bool((soft and formula.divergence.name != "hard_only") or (hard and formula.hard.name != "soft_only"))


def _explained(seen: _Seen, formula: Formula, numbers: Array, tolerance: float) -> list[Fit]:
    """The fit with every combination of factors that gives its numbers; or, with none, the fit alone."""
    soft, hard = numbers[:, 0], numbers[:, 1]
    # One number alone, such as 0.1 with ten classes, may come from anything; α shows in both terms.
    both = formula.divergence.name != "hard_only" and formula.hard.name != "soft_only"
    guesses = [round(float(value), 6) for value in (1 - hard[0], hard[0]) if 0 < value < 1]
    written = sorted(each for each in seen.literals if 0 < each < 1)
    alphas = dict.fromkeys((*written, *HARD_CODED_ALPHAS, *guesses)) if both else {}
    weights = (*WEIGHTS, *(hard_coded_alpha(alpha) for alpha in alphas))
    parts: tuple[Sequence[Choice[Any]], ...] = (weights, POWERS, REDUCTIONS, HARD_SCALES, WHOLES)
    expected_soft, expected_hard = _numbers(seen, formula.heat, weights)
    matching = np.ones(len(expected_soft), dtype=bool)
    if formula.divergence.name != "hard_only":
        matching &= np.isclose(expected_soft, soft, rtol=100 * tolerance, atol=0).all(axis=1)
    if formula.hard.name != "soft_only":
        matching &= np.isclose(expected_hard, hard, rtol=100 * tolerance, atol=0).all(axis=1)
    found = []
    for index in np.flatnonzero(matching):
        places = np.unravel_index(index, [len(choices) for choices in parts])
        weight, power, reduction, hard_scale, whole = (
            choices[int(place)] for choices, place in zip(parts, places, strict=True)
        )
        complete = replace(
            formula, weights=weight, power=power, reduction=reduction, hard_scale=hard_scale, whole=whole
        )
        found.append(Fit(complete, soft, hard, explained=True))
    return found or [Fit(formula, soft, hard, explained=False)]


def _numbers(seen: _Seen, heat: float | None, weights: Sequence[Choice[Any]]) -> tuple[Array, Array]:
    """A and B of every combination, [combinations, settings], in the order of itertools.product."""
    classes = seen.classes
    rows = len(batches(classes)[0].labels)
    columns = []
    for setting in seen.settings:
        t = setting.temperature if heat is None else heat
        pairs = np.array([choice.function(setting.alpha) for choice in weights])
        power = np.array([choice.function(t) for choice in POWERS])
        reduction = np.array([choice.function(rows, classes) * rows for choice in REDUCTIONS])
        scale = np.array([choice.function(rows, classes, t) for choice in HARD_SCALES])
        whole = np.array([choice.function(t) for choice in WHOLES])
        shape = (len(weights), len(POWERS), len(REDUCTIONS), len(HARD_SCALES), len(WHOLES))
        soft = np.einsum("a,b,c,e->abce", pairs[:, 0], power, reduction, whole)[:, :, :, None, :]
        hard = np.einsum("a,d,e->ade", pairs[:, 1], scale, whole)[:, None, None, :, :]
        columns.append((np.broadcast_to(soft, shape).ravel(), np.broadcast_to(hard, shape).ravel()))
    return np.stack([a for a, _ in columns], axis=1), np.stack([b for _, b in columns], axis=1)
