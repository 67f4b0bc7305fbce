"""Hold a judgement against what it proves: an accusation needs a finite loss under a reading that is certain.

What a function has of its own (a soft term that is weighted elsewhere, a batch size, a teacher, an α that nobody can
set) is no mistake, so the verdict is `could_not_check`, with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from harness_kd.catalogue import Formula
from harness_kd.judgement import JUDGED, Judgement, at
from harness_kd.reference import soft_half, within
from harness_kd.reply import Outcome, Reading

_REFUSALS = frozenset({
    "AssertionError", "AttributeError", "FileNotFoundError", "ImportError", "KeyError", "LookupError",
    "ModuleNotFoundError", "NameError", "NotImplementedError", "OSError", "PermissionError", "StopIteration",
    "TypeError", "ValueError"})  # fmt: skip
"""Exceptions of functions that want something else: another type, another shape, a name that is not there."""
_UNEXPLAINED = 9
_HAND_IN = "if it is the loss, hand in a function of (student logits, labels, teacher logits, alpha, T) beside it"


def certain(reading: Reading, judgement: Judgement) -> Judgement:
    """The judgement, or what stands in its way."""
    if judgement.verdict != "failed":
        return judgement
    strange = next((each for each in reading.of("grid") if each.kind != "value"), None)
    if strange is not None:
        return _refused(reading, strange) or judgement
    if "labels" not in reading.roles:
        return _soft_term(reading, judgement)
    fit = judgement.fit
    both = fit is not None and "0" not in (fit.formula.divergence.formula, fit.formula.hard.formula)
    if reading.entries > 1 and not both:
        return _doubt("it returns its terms apart, and none of them is the whole loss", _HAND_IN)
    if reading.guessed and fit is None:
        return _doubt("the names of its parameters do not tell which is which, and no order of them gives a KD loss",
                      "call them student_logits, labels, teacher_logits, alpha and T")  # fmt: skip
    return _out_of_reach(reading, judgement) or judgement


def tells(own: Mapping[str, float]) -> bool:
    """Whether being right at a student's own α and T says anything: at α=1 or T=1 much is hidden."""
    return bool(own) and 0 < own.get("alpha", 0.3) < 1 and own.get("temperature", 4.0) != 1


def as_it_stands(reading: Reading) -> Judgement:
    """For a function that is right with the numbers it has, and not with those set from outside."""
    symbols = {"alpha": "α", "temperature": "T"}
    own = " and ".join(f"{symbols[name]} = {value:g}" for name, value in sorted(reading.own.items()))
    places = " and ".join(text for name, text in reading.where.items() if name in reading.own)
    return _doubt(
        f"with its own {own} it is right, but setting {places} does not reach all that depends on it, so nobody knows "
        "whether it is right elsewhere",
        "take α and T as parameters, or derive nothing from them outside the function",
    )


def mistakes_in(judgement: Judgement) -> int:
    """How much a judgement has to assume: the number of mistakes in it."""
    return len(judgement.fit.formula.mistakes) if judgement.stated and judgement.fit else _UNEXPLAINED


def _doubt(reason: str, hint: str) -> Judgement:
    return Judgement("could_not_check", reason, hint)


def _refused(reading: Reading, outcome: Outcome) -> Judgement | None:
    """A function that does not run: whether that may be its right."""
    if outcome.kind != "raised":
        guess = reading.guessed or reading.entries > 1
        return _doubt("the names of its parameters do not tell which is which, and what it returned is no loss",
                      "call them student_logits, labels, teacher_logits, alpha and T") if guess else None  # fmt: skip
    if outcome.raises in ("SystemExit", "KeyboardInterrupt"):
        return None
    stated = "`raise " in outcome.error or "`assert " in outcome.error
    if not (stated or reading.guessed or outcome.raises in _REFUSALS or "labels" not in reading.roles):
        return None
    rows, classes = outcome.probe.case.student.shape
    hint = ("it gets logits (tensors), not models: call the models outside of it" if "not callable" in outcome.error
            else f"it was given logits of shape [{rows}, {classes}] (also twelve times as many rows), int64 labels, "
            f"α = {outcome.probe.case.alpha:g} and T = {outcome.probe.case.temperature:g}; hand in one that "
            "takes these")  # fmt: skip
    return _doubt(f"it cannot be called with what it was given: {at(outcome.probe)} it raises {outcome.error}", hint)


def _soft_term(reading: Reading, judgement: Judgement) -> Judgement:
    """Without labels there is no hard term: it is added, and weighed, where the function is called."""
    what = "it takes no labels, so it is the soft term alone"
    outcomes = [each for each in reading.of(*JUDGED) if each.value is not None]
    weights = (soft_half, lambda case: case.alpha * soft_half(case))
    if any(
        all(within(each.value or 0.0, weight(each.probe.case), each.probe) for each in outcomes) for weight in weights
    ):
        what += ", and as that it is right"
    elif judgement.stated and judgement.fit is not None:
        what += f", L = {judgement.fit.formula}"
    return _doubt(f"{what}; how it is weighed and what is added to it, only the training loop says", _HAND_IN)


def _out_of_reach(reading: Reading, judgement: Judgement) -> Judgement | None:
    """α or T that cannot be set, and that no number in the source explains."""
    missing = [symbol for symbol, name in (("α", "alpha"), ("T", "temperature")) if name not in reading.where]
    if not missing:
        return None
    fit = judgement.fit
    if fit is not None and judgement.stated:
        free = [each for each in _constants(fit.formula) if not _written(each, reading.found.literals)]
        half = "0" in (fit.formula.divergence.formula, fit.formula.hard.formula)
        if not free and not (half and "α" in missing):
            return None
    named = " and ".join(missing)
    told = ""
    if fit is not None and fit.explained and fit.formula.hard_coded:
        told = f" (the values fit L = {fit.formula})"
    return _doubt(f"{named} cannot be set, neither as a parameter nor from outside{told}",
                  f"take {named} as parameters: (student logits, labels, teacher logits, alpha, T)")  # fmt: skip


def _constants(formula: Formula) -> set[float]:
    """Numbers in place of T and α: (soft + hard) / 2 is what α = ½ gives."""
    (soft, hard), whole = formula.weights.function(0.25), formula.whole.function(2.0)
    steady = formula.weights.function(0.75) == (soft, hard) and formula.whole.function(3.0) == whole
    return {*formula.hard_coded, *([whole * soft] if steady and math.isclose(whole * (soft + hard), 1) else [])}


def _written(number: float, literals: frozenset[float]) -> bool:
    """Whether a number, its rest to 1 or its inverse stands in the source."""
    return any(math.isclose(ours, each) for ours in (number, 1 - number, 1 / number) for each in literals)
