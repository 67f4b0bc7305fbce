"""Right or wrong, and in which words: judging what a KD loss returned against the reference."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, assert_never

import numpy as np
from harness_kd_catalogue import NAN_MISTAKES, PARTS, Formula, mistakes
from harness_kd_diagnosis import Fit, Setting, explain
from harness_kd_forms import Choice
from harness_kd_reference import (
    GRID,
    MORE,
    Array,
    Case,
    Probe,
    gradient,
    gradients_agree,
    hard_half,
    log_softmax,
    loss,
    soft_half,
    softmax,
    within,
)
from harness_kd_reply import Found, Outcome, Reading

_JUDGED = ("grid", "half", "elsewhere")


@dataclass(frozen=True, slots=True)
class Rules:
    """What the assignment allows beyond the reference."""

    accept: frozenset[str] = frozenset()
    stability: Literal["warn", "fail"] = "warn"


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether it passed, why (a clause about the function), and what to change or look at."""

    passed: bool
    reason: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """A loss that counts as right: the reference, or a form the assignment accepts."""

    value: Callable[[Case], float]
    gradient: Callable[[Case], Array]
    words: str


REFERENCE = Expected(loss, gradient, "the reference")


def judge(reading: Reading, found: Found, rules: Rules) -> Judgement:
    """Judge one reading of the function."""
    unfit = _unfit(reading, found, rules)
    if unfit is not None:
        return unfit
    expected = next((each for each in _accepted(rules.accept) if _values_agree(reading, each)), None)
    if expected is None:
        return _wrong(reading, found)
    return _gradient_problem(reading, expected) or _side_effect(reading) or _right(reading, expected, rules)


def _accepted(names: frozenset[str]) -> Iterator[Expected]:
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


def _values_agree(reading: Reading, expected: Expected) -> bool:
    return not _disagreeing(reading, expected)


def _disagreeing(reading: Reading, expected: Expected) -> list[Outcome]:
    """Judged outcomes whose value is not the expected one; raising at the edges is none of them."""
    return [
        each for each in reading.of(*_JUDGED)
        if not (each.kind == "raised" and each.probe.purpose != "grid")
        and (each.value is None or not within(each.value, expected.value(each.probe.case), each.probe))
    ]  # fmt: skip


# --- outcomes that are no loss at all ------------------------------------------------------------------------------


def _unfit(reading: Reading, found: Found, rules: Rules) -> Judgement | None:
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
            return Judgement(False, f"it raises {outcome.error}", _raised_hint(outcome, reading))
        case "none":
            return Judgement(False, "it returns None", "end it with `return loss`")
        case "not_scalar":
            return _not_scalar(outcome)
        case "not_a_tensor":
            return _not_a_tensor(reading, outcome, found)
        case "value" | "unreadable":
            return Judgement(False, "running it gave no usable answer")
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
        False,
        f"it returns a tensor of shape [{shape}] instead of one number",
        'reduce each term: kl_div(…, reduction="batchmean") and cross_entropy with its default reduction',
    )


def _not_a_tensor(reading: Reading, outcome: Outcome, found: Found) -> Judgement:
    what = f"it returns a {outcome.type_name}, not a tensor, so nothing can be learned from it"
    hint = "return the tensor itself: no .item(), float() or .numpy() inside the loss"
    if outcome.value is None:
        return Judgement(False, what, hint)
    if _values_agree(reading, REFERENCE):
        return Judgement(False, f"{what}; its value is right", hint)
    wrong = _wrong(reading, found)
    return Judgement(False, f"{what}; also, {wrong.reason}", f"{hint}; {wrong.hint}" if wrong.hint else hint)


def _one_hot(reading: Reading, outcome: Outcome) -> Judgement:
    hint = ("take labels as class indices, as data loaders give them: F.cross_entropy(student, labels), "
            "or F.one_hot(labels, classes) inside")  # fmt: skip
    if _values_agree(reading, REFERENCE):
        reason = (
            f"it needs one-hot labels, with which it is right; with class indices it raises {outcome.one_hot_error}"
        )
        return Judgement(False, reason, hint)
    return Judgement(False, f"it raises {outcome.one_hot_error} (with one-hot labels it would run, but its value is "
                     "wrong)", hint)  # fmt: skip


# --- wrong values --------------------------------------------------------------------------------------------------


def _wrong(reading: Reading, found: Found) -> Judgement:
    first = _disagreeing(reading, REFERENCE)[0]
    if first.value is None:
        return Judgement(False, f"it gives no value {_at(first.probe)}", first.error or None)
    if not math.isfinite(first.value):
        return _not_finite(reading, first, found)
    if any(each.repeat_differs for each in reading.of(*_JUDGED)):
        return _RANDOM
    right = loss(first.probe.case)
    what = f"{_at(first.probe)} it returns {first.value:.6g} where {right:.6g} is right"
    also = _also(reading)
    settings, fit = _settings(reading), _fit(reading)
    if fit is None or (fit.explained and not fit.formula.mistakes):
        return Judgement(False, f"{what}: {_halves(reading)}{also}", _halves_hint(fit))
    if not fit.explained:
        return _with_numbers(what, also, fit, settings, found)
    titles = [choice.title for choice in fit.formula.mistakes]
    hints = [f"{choice.title}: {choice.fix}{_line(found, choice)}" for choice in fit.formula.mistakes]
    return Judgement(False, f"{what}: it computes L = {fit.formula}; {', and '.join(titles)}{also}", "; ".join(hints))


def _fit(reading: Reading) -> Fit | None:
    settings = _settings(reading)
    if len(settings) < 2:
        return None
    classes = reading.outcomes[0].probe.case.student.shape[1]
    alone = _half_values(reading, 1)
    return explain(classes, settings, fixed=alone[0] if _constant(alone) else None)


def _half_values(reading: Reading, alpha: float) -> list[float]:
    """The values with α = 0 or 1, on one batch, at every T."""
    values = [each.value for each in reading.of("half") if each.probe.case.alpha == alpha]
    return [value for value in values if value is not None and math.isfinite(value)]


def _constant(values: Sequence[float]) -> bool:
    return len(values) > 1 and all(math.isclose(values[0], value, rel_tol=1e-5) for value in values)


def _at(probe: Probe) -> str:
    return f"at α={probe.case.alpha:g}, T={probe.case.temperature:g}"


def _also(reading: Reading) -> str:
    """Further findings about a function whose value is wrong anyway."""
    effect = _side_effect(reading)
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
        False,
        f"{what}: {titles}{fit.formula.divergence.formula} is multiplied by {soft}; "
        f"{fit.formula.hard.formula} is multiplied by {hard}{also}",
        "; ".join([*hints, "weigh the two terms by α·T² and 1-α"]),
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
    what = f"{_at(first.probe)}, on ordinary logits, it returns {first.value}"
    mistake = NAN_MISTAKES[_nan_cause(reading)]
    return Judgement(False, f"{what}: {mistake.title}", f"{mistake.fix}{_line(found, mistake)}")


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
    design = np.stack([soft.ravel(), _hard_gradient(case).ravel()], axis=1)
    return _residual(design, outcome.gradient) < 1e-3


def _hard_gradient(case: Case) -> Array:
    hard = softmax(case.student)
    hard[np.arange(len(case.labels)), case.labels] -= 1
    return hard


def _residual(design: Array, values: Array) -> float:
    solution = np.linalg.lstsq(design, values.ravel(), rcond=None)[0]
    rest = np.linalg.norm(design @ solution - values.ravel())
    return float(rest / max(float(np.linalg.norm(values)), 1e-300))


# --- right values --------------------------------------------------------------------------------------------------


def _gradient_problem(reading: Reading, expected: Expected) -> Judgement | None:
    for outcome in reading.of(*_JUDGED):
        if outcome.kind != "value":
            continue
        right = expected.gradient(outcome.probe.case)
        if outcome.gradient is None and outcome.gradient_error:
            return Judgement(False, f"its value is right, but its gradient fails with {outcome.gradient_error}",
                             "do not call backward() inside the loss")  # fmt: skip
        if outcome.gradient is None:
            # With α = 1 and no soft gradient, or the like, even a detached result is right.
            if np.abs(right).max() == 0:
                continue
            return Judgement(False, "its value is right, but it is detached from the student's logits, so nothing is "
                             "learned", "remove .detach(), .data, torch.tensor(…) or no_grad from the student's "
                             "path")  # fmt: skip
        if not gradients_agree(outcome.gradient, right, outcome.probe):
            return _wrong_gradient(outcome, outcome.gradient)
    return None


def _wrong_gradient(outcome: Outcome, found: Array) -> Judgement:
    case = outcome.probe.case
    heat = case.temperature
    soft = case.alpha * heat * (softmax(case.student / heat) - softmax(case.teacher / heat))
    design = np.stack([soft.ravel(), (1 - case.alpha) * _hard_gradient(case).ravel()], axis=1) / len(case.labels)
    hint = "look for .detach(), .data or no_grad in the student's path"
    what = f"its value is right, but not its gradient with respect to the student's logits {_at(outcome.probe)}"
    if np.isfinite(found).all() and _residual(design, found) < 1e-3:
        of_soft, of_hard = np.linalg.lstsq(design, found.ravel(), rcond=None)[0]
        return Judgement(False, f"{what}: {_pull('soft', of_soft)}, {_pull('hard', of_hard)}", hint)
    return Judgement(False, what, hint)


def _pull(half: str, times: float) -> str:
    if abs(times - 1) < 1e-2:
        return f"that of the {half} half is right"
    return (
        f"the {half} half has none" if abs(times) < 1e-2 else f"that of the {half} half is {times:.3g} times as large"
    )


def _side_effect(reading: Reading) -> Judgement | None:
    outcomes = reading.of(*_JUDGED)
    mutated = sorted({name for each in outcomes for name in each.mutated})
    if mutated:
        return Judgement(False, f"it changes its inputs in place ({', '.join(mutated)})",
                         "write `s = s / T` instead of `s /= T`, and no function ending in an underscore")  # fmt: skip
    if any(each.repeat_differs for each in outcomes):
        return _RANDOM
    return None


_RANDOM = Judgement(
    False,
    "a second call with the same inputs gives another value",
    "a loss has no randomness (dropout, noise) and keeps nothing between calls",
)


def _right(reading: Reading, expected: Expected, rules: Rules) -> Judgement:
    fragile = _fragile(reading, expected)
    notes = [note for note in (fragile, *_remarks(reading)) if note]
    hint = "; ".join(notes) or None
    if fragile and rules.stability == "fail":
        return Judgement(False, "right on ordinary logits, but not at logits of ±10,000, as the assignment demands",
                         hint)  # fmt: skip
    accuracy = f"value and gradient agree with {expected.words} at every setting tried"
    return Judgement(True, accuracy, hint)


def _fragile(reading: Reading, expected: Expected) -> str | None:
    for outcome in reading.of("stability"):
        value = outcome.value if outcome.kind == "value" else None
        flat = outcome.gradient is None or bool(np.isfinite(outcome.gradient).all())
        if value is None or not math.isfinite(value) or not flat:
            shown = "an error" if value is None else ("NaN" if math.isnan(value) or not flat else f"{value:g}")
            return (f"at logits of ±10,000 it gives {shown}: log_softmax(z, dim=1) is exact where log(softmax(z)) "
                    "is not, and kl_div takes care of zero probabilities")  # fmt: skip
        if not within(value, expected.value(outcome.probe.case), outcome.probe):
            return ("at logits of ±10,000 its value is off: an epsilon inside a logarithm does that; "
                    "log_softmax(z, dim=1) needs none")  # fmt: skip
    return None


def _remarks(reading: Reading) -> Iterator[str]:
    """What is worth knowing about a right function."""
    grid = reading.of("grid")[0]
    if reading.teacher_gradient:
        yield "a gradient reaches the teacher: compute its logits under torch.no_grad()"
    if grid.wrapped:
        yield f"it returns {grid.wrapped}; the first was judged"
    if grid.shape:
        yield f"it returns a tensor of shape {list(grid.shape)}; a loss is a scalar of shape []"
    raising = [each for each in reading.of("half", "elsewhere") if each.kind == "raised"]
    if raising:
        yield f"{_at(raising[0].probe)} it raises {raising[0].error}"
