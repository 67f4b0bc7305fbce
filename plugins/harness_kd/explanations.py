"""Explain what is wrong with a KD loss: no value, a wrong value, NaN; by the mistake's name if it is catalogued."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, assert_never

import numpy as np

from harness_kd.catalogue import NAN_MISTAKES
from harness_kd.diagnosis import Fit, Setting, explain
from harness_kd.judgement import (
    JUDGED,
    RANDOM,
    REFERENCE,
    Judgement,
    JudgingRules,
    at,
    disagreeing,
    hard_gradient,
    residual,
    side_effect,
    values_agree,
)
from harness_kd.reference import GRID, MORE, Case, hard_half, log_softmax, loss, soft_half, softmax, within
from harness_kd.reply import Found, Outcome, Reading
from harness_kd.terms import Choice

MOST_STATED = 3
"""Of more mistakes at once, several combinations give nearly the same values."""

# --- outcomes that are no loss at all ------------------------------------------------------------------------------


def unfit(reading: Reading, found: Found, rules: JudgingRules) -> Judgement | None:
    """What is wrong with a function that gives no loss at all on the grid."""
    grid = reading.of("grid")
    strange = next((each for each in grid if each.kind != "value"), None)
    if strange is not None:
        return _no_value(reading, strange, found)
    if grid[0].one_hot_error is not None and "one_hot_labels" not in rules.accept:
        return _one_hot(reading, grid[0])
    return None


def _no_value(reading: Reading, outcome: Outcome, found: Found) -> Judgement:
    match outcome.kind:
        case "raised":
            return Judgement("failed", f"it raises {outcome.error}", _raised_hint(outcome, reading))
        case "none":
            return Judgement("failed", "it returns None", "end it with `return loss`")
        case "not_scalar":
            return _not_scalar(outcome)
        case "not_a_tensor":
            return _not_a_tensor(reading, outcome, found)
        case "value" | "unreadable":
            return Judgement("failed", "running it gave no usable answer")
        case unknown:
            assert_never(unknown)


def _raised_hint(outcome: Outcome, reading: Reading) -> str:
    if "not callable" in outcome.error:
        return "it gets logits (tensors), not models: call the models outside of it"
    if "labels" not in reading.roles:
        return "it has no parameter for the labels; expected (student logits, labels, teacher logits, alpha, T)"
    rows, classes = outcome.probe.case.student.shape
    return f"try it at home on random logits of shape [{rows}, {classes}] and int64 labels of shape [{rows}]"


def _not_scalar(outcome: Outcome) -> Judgement:
    shape = ", ".join(str(size) for size in outcome.shape)
    return Judgement(
        "failed",
        f"it returns a tensor of shape [{shape}] instead of one number",
        'reduce each term: kl_div(…, reduction="batchmean") and cross_entropy with its default reduction',
    )


def _not_a_tensor(reading: Reading, outcome: Outcome, found: Found) -> Judgement:
    what = f"it returns a {outcome.type_name}, not a tensor, so nothing can be learned from it"
    hint = "return the tensor itself: no .item(), float() or .numpy() inside the loss"
    if outcome.value is None:
        return Judgement("failed", what, hint)
    if values_agree(reading, REFERENCE):
        return Judgement("failed", f"{what}; its value is right", hint)
    also = wrong(reading, found)
    return Judgement("failed", f"{what}; also, {also.reason}", f"{hint}; {also.hint}" if also.hint else hint)


def _one_hot(reading: Reading, outcome: Outcome) -> Judgement:
    hint = ("take labels as class indices, as data loaders give them: F.cross_entropy(student, labels), "
            "or F.one_hot(labels, classes) inside")  # fmt: skip
    if values_agree(reading, REFERENCE):
        reason = (
            f"it needs one-hot labels, with which it is right; with class indices it raises {outcome.one_hot_error}"
        )
        return Judgement("failed", reason, hint)
    return Judgement("failed", f"it raises {outcome.one_hot_error} (with one-hot labels it would run, but its value is "
                     "wrong)", hint)  # fmt: skip


# --- wrong values --------------------------------------------------------------------------------------------------


def wrong(reading: Reading, found: Found) -> Judgement:
    first = disagreeing(reading, REFERENCE)[0]
    if first.value is None:
        return Judgement("failed", f"it gives no value {at(first.probe)}", first.error or None)
    if not math.isfinite(first.value):
        return _not_finite(reading, first, found)
    if any(each.repeat_differs for each in reading.of(*JUDGED)):
        return RANDOM
    return _wrong_value(reading, first, found)


def _wrong_value(reading: Reading, first: Outcome, found: Found) -> Judgement:
    """A finite value that differs: by the formula behind it, if there is one, else by halves."""
    right = loss(first.probe.case)
    what = f"{at(first.probe)} it returns {first.value:.6g} where {right:.6g} is right"
    also = _also(reading)
    settings, fit = _settings(reading), diagnose(reading)
    if fit is None or (fit.explained and not fit.formula.mistakes):
        return Judgement("failed", f"{what}: {_halves(reading)}{also}", _halves_hint(fit), fit)
    if not fit.explained:
        return _with_numbers(what, also, fit, settings, found)
    if len(fit.formula.mistakes) > MOST_STATED:
        same = f"more than {MOST_STATED} things differ; L = {fit.formula} gives the same values, as other formulas may"
        return Judgement("failed", f"{what}: {_halves(reading)}; {same}{also}", _halves_hint(None), fit)
    titles = [choice.title for choice in fit.formula.mistakes]
    hints = [f"{choice.title}: {choice.fix}{_line(found, choice)}" for choice in fit.formula.mistakes]
    reason = f"{what}: it computes L = {fit.formula}; {', and '.join(titles)}{also}"
    return Judgement("failed", reason, "; ".join(hints), fit, stated=True)


def diagnose(reading: Reading) -> Fit | None:
    """The formula behind the values of a reading, if there are enough of them and one is found."""
    settings = _settings(reading)
    if len(settings) < 2:
        return None
    classes = reading.outcomes[0].probe.case.student.shape[1]
    alone = _half_values(reading, 1)
    others = [
        (each.probe.case, each.value)
        for each in reading.of(*JUDGED)
        if each.value is not None and math.isfinite(each.value)
    ]
    fixed = alone[0] if _constant(alone) else None
    return explain(classes, settings, others, fixed=fixed, literals=reading.found.literals)


def _half_values(reading: Reading, alpha: float) -> list[float]:
    """The values with α = 0 or 1, on one batch, at every T."""
    values = [each.value for each in reading.of("half") if each.probe.case.alpha == alpha]
    return [value for value in values if value is not None and math.isfinite(value)]


def _constant(values: Sequence[float]) -> bool:
    return len(values) > 1 and all(math.isclose(values[0], value, rel_tol=1e-5) for value in values)


def _also(reading: Reading) -> str:
    """Further findings about a function whose value is wrong anyway."""
    effect = side_effect(reading)
    return f"; also, {effect.reason}" if effect else ""


def _settings(reading: Reading) -> list[Setting]:
    """The settings at which all batches gave a finite value."""
    found = []
    for alpha, temperature in (*GRID, MORE):
        outcomes = [
            each for each in reading.of("diagnosis")
            if each.probe.inputs.startswith("batch")
            and (each.probe.case.alpha, each.probe.case.temperature) == (alpha, temperature)
        ]  # fmt: skip
        values = [each.value for each in outcomes if each.value is not None and math.isfinite(each.value)]
        if len(values) == len(outcomes):
            found.append(Setting(alpha, temperature, tuple(values)))
    return found


def _line(found: Found, choice: Choice[Any]) -> str:
    """' (line 12: `…`)' of the first source line that looks like the mistake."""
    if not choice.line:
        return ""
    line = next(((number, code) for number, code in found.code if re.search(choice.line, code)), None)
    return f" (line {line[0]}: `{line[1]}`)" if line else ""


def _with_numbers(what: str, also: str, fit: Fit, settings: Sequence[Setting], found: Found) -> Judgement:
    """The forms are known, the numbers in front of them are none of the known ones: say what they are."""
    soft = "; ".join(
        f"{value:.4g} {_setting(setting)}, where α·T² = {setting.alpha * setting.temperature**2:.4g} belongs"
        for setting, value in zip(settings[:2], fit.soft, strict=False)
    )
    hard = "; ".join(
        f"{value:.4g} {_setting(setting)}, where 1-α = {1 - setting.alpha:.4g} belongs"
        for setting, value in zip(settings[:2], fit.hard, strict=False)
    )
    wrong = fit.formula.mistakes
    titles = "".join(f"{choice.title}; " for choice in wrong)
    hints = [f"{choice.title}: {choice.fix}{_line(found, choice)}" for choice in wrong]
    return Judgement(
        "failed",
        f"{what}: {titles}{fit.formula.soft_form} is multiplied by {soft}; "
        f"{fit.formula.hard.formula} is multiplied by {hard}{also}",
        "; ".join([*hints, "weigh the two terms by α·T² and 1-α"]),
        fit,
    )


def _setting(setting: Setting) -> str:
    return f"at α={setting.alpha:g}, T={setting.temperature:g}"


def _halves(reading: Reading) -> str:
    """Which half differs, from the probes with α = 0 and α = 1."""
    hard = [each for each in reading.of("half") if each.probe.case.alpha == 0]
    soft = [each for each in reading.of("half") if each.probe.case.alpha == 1]
    said = f"{_half('the hard half (α=0)', hard, hard_half)}; {_half('the soft half (α=1)', soft, soft_half)}"
    soft_values, hard_values = _half_values(reading, 1), _half_values(reading, 0)
    if _constant(soft_values):
        said += "; T changes nothing in the soft half, so it may be hard-coded"
    if (
        soft_values
        and len(soft_values) == len(hard_values)
        and all(map(_constant, zip(soft_values, hard_values, strict=True)))
    ):
        said += "; α changes nothing, so it may be hard-coded"
    return said


def _half(name: str, outcomes: Sequence[Outcome], expected: Callable[[Case], float]) -> str:
    known = [(each, each.value) for each in outcomes if each.value is not None and math.isfinite(each.value)]
    if not known:
        return f"{name} could not be measured"
    if all(within(value, expected(each.probe.case), each.probe) for each, value in known):
        return f"{name} is right"
    ratios = [f"{value / expected(each.probe.case):.4g} times the right value at T={each.probe.case.temperature:g}"
              for each, value in known]  # fmt: skip
    return f"{name} is {' and '.join(ratios)}"


def _halves_hint(fit: Fit | None) -> str:
    if fit is not None:
        return "the formula is right in between: look for a special case"
    return "compare the half that differs with α·T²·KL(softmax(teacher/T) ‖ softmax(student/T)) + (1-α)·CE"


# --- not finite ----------------------------------------------------------------------------------------------------


def _not_finite(reading: Reading, first: Outcome, found: Found) -> Judgement:
    what = f"{at(first.probe)}, on ordinary logits, it returns {first.value}"
    mistake = NAN_MISTAKES[_nan_cause(reading)]
    return Judgement("failed", f"{what}: {mistake.title}", f"{mistake.fix}{_line(found, mistake)}")


def _nan_cause(reading: Reading) -> str:
    positive = [each for each in reading.of("diagnosis") if each.probe.inputs == "positive logits"]
    if any(each.value is not None and math.isfinite(each.value) for each in positive):
        return "log_of_logits"
    exact = [each for each in reading.of("diagnosis") if each.probe.inputs.startswith("batch")]
    gradients = [each.gradient for each in exact if each.gradient is not None]
    if not gradients:
        return "unknown"
    if all(np.isfinite(each).all() for each in gradients):
        return "log_target_missing" if all(_log_target(each) for each in exact) else "unknown"
    return "kl_div_reversed"


def _log_target(outcome: Outcome) -> bool:
    """Whether the gradient is that of -Σ log p·log q (which kl_div leaves beside the NaN) and CE, in any weights."""
    case = outcome.probe.case
    assert outcome.gradient is not None
    log_p = log_softmax(case.teacher / case.temperature)
    soft = softmax(case.student / case.temperature) * log_p.sum(axis=1, keepdims=True) - log_p
    design = np.stack([soft.ravel(), hard_gradient(case).ravel()], axis=1)
    return residual(design, outcome.gradient) < 1e-3
