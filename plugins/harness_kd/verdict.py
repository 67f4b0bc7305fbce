"""Judge what a KD loss returned against the reference: right or wrong, and in which words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from harness_kd.doubt import as_it_stands, certain, mistakes_in, tells
from harness_kd.explanations import unfit, wrong
from harness_kd.judgement import (
    JUDGED,
    Expected,
    Judgement,
    JudgingRules,
    accepted,
    at,
    hard_gradient,
    residual,
    side_effect,
    values_agree,
)
from harness_kd.reference import Array, gradients_agree, softmax, within
from harness_kd.reply import Found, Outcome, Reading

_MOST_EXPLAINED = 12


def decide(tries: Sequence[Reading], rules: JudgingRules) -> tuple[Reading, Judgement]:
    """The reading that counts: the first that is right; else the first that proves a mistake; else one in doubt."""
    changed = [each for each in tries if not each.own] or list(tries[:1])
    for reading in changed:
        judgement = _if_right(reading, rules)
        if judgement is not None:
            return reading, judgement
    reading, judgement = _proving(changed, rules)
    if not judgement.stated:
        for each in tries:
            if tells(each.own) and _if_right(each, rules) is not None:
                return each, as_it_stands(each)
    return reading, judgement


def _proving(tries: Sequence[Reading], rules: JudgingRules) -> tuple[Reading, Judgement]:
    """Of the likeliest function: what assumes the fewest mistakes. A soft term is passed over for a whole loss."""
    whole = next((each.found for each in tries if "labels" in each.roles), tries[0].found)
    own = [each for each in tries if each.found is whole][:_MOST_EXPLAINED]
    judged = [(each, certain(each, judge(each, each.found, rules))) for each in own]
    proven = [pair for pair in judged if pair[1].verdict == "failed"]
    return min(proven or judged, key=lambda pair: _doubt(pair[0], pair[1], rules))


def _doubt(reading: Reading, judgement: Judgement, rules: JudgingRules) -> tuple[bool, bool, int]:
    """How little speaks for a reading: it does not run with it; its value is wrong; by so many mistakes."""
    ran = all(each.kind == "value" for each in reading.of("grid"))
    return not ran, not _has_right_value(reading, rules), mistakes_in(judgement)


def _has_right_value(reading: Reading, rules: JudgingRules) -> bool:
    return any(values_agree(reading, each) for each in accepted(rules.accept))


def _if_right(reading: Reading, rules: JudgingRules) -> Judgement | None:
    if unfit(reading, reading.found, rules) or not _has_right_value(reading, rules):
        return None
    judgement = judge(reading, reading.found, rules)
    return judgement if judgement.passed else None


def judge(reading: Reading, found: Found, rules: JudgingRules) -> Judgement:
    """Judge one reading of the function."""
    no_loss = unfit(reading, found, rules)
    if no_loss is not None:
        return no_loss
    expected = next((each for each in accepted(rules.accept) if values_agree(reading, each)), None)
    if expected is None:
        return wrong(reading, found)
    return _gradient_problem(reading, expected) or side_effect(reading) or _right(reading, expected, rules)


def _gradient_problem(reading: Reading, expected: Expected) -> Judgement | None:
    for outcome in reading.of(*JUDGED):
        if outcome.kind != "value":
            continue
        right = expected.gradient(outcome.probe.case)
        if outcome.gradient is None and outcome.gradient_error:
            return Judgement("failed", f"its value is right, but its gradient fails with {outcome.gradient_error}",
                             "do not call backward() inside the loss")  # fmt: skip
        if outcome.gradient is None:
            # With α = 1 and no soft gradient, or the like, even a detached result is right.
            if np.abs(right).max() == 0:
                continue
            what = "its value is right, but it is detached from the student's logits, so nothing is learned"
            return Judgement(
                "failed", what, "remove .detach(), .data, torch.tensor(…) or no_grad from the student's path"
            )
        if not gradients_agree(outcome.gradient, right, outcome.probe):
            return _wrong_gradient(outcome, outcome.gradient)
    return None


def _wrong_gradient(outcome: Outcome, found: Array) -> Judgement:
    case = outcome.probe.case
    heat = case.temperature
    soft = case.alpha * heat * (softmax(case.student / heat) - softmax(case.teacher / heat))
    design = np.stack([soft.ravel(), (1 - case.alpha) * hard_gradient(case).ravel()], axis=1) / len(case.labels)
    hint = "look for .detach(), .data or no_grad in the student's path"
    what = f"its value is right, but not its gradient with respect to the student's logits {at(outcome.probe)}"
    if np.isfinite(found).all() and residual(design, found) < 1e-3:
        of_soft, of_hard = np.linalg.lstsq(design, found.ravel(), rcond=None)[0]
        return Judgement("failed", f"{what}: {_pull('soft', of_soft)}, {_pull('hard', of_hard)}", hint)
    return Judgement("failed", what, hint)


def _pull(half: str, times: float) -> str:
    if abs(times - 1) < 1e-2:
        return f"that of the {half} half is right"
    return (
        f"the {half} half has none" if abs(times) < 1e-2 else f"that of the {half} half is {times:.3g} times as large"
    )


def _right(reading: Reading, expected: Expected, rules: JudgingRules) -> Judgement:
    fragile = _fragile(reading, expected)
    notes = [note for note in (fragile, *_remarks(reading)) if note]
    hint = "; ".join(notes) or None
    if fragile and rules.stability == "fail":
        return Judgement("failed", "right on ordinary logits, but not at logits of ±10,000, as the assignment demands",
                         hint)  # fmt: skip
    accuracy = f"value and gradient agree with {expected.words} at every setting tried"
    return Judgement("passed", accuracy, hint)


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
        yield "the teacher is not detached here: right as long as its logits are computed under torch.no_grad()"
    if grid.wrapped:
        yield f"it returns {grid.wrapped}; {grid.entry or 'it'} was judged"
    if grid.wanted:
        yield f"it was given {' and '.join(grid.wanted)}, without which it raises"
    if grid.shape:
        yield f"it returns a tensor of shape {list(grid.shape)}; a loss is a scalar of shape []"
    raising = [each for each in reading.of("half", "elsewhere") if each.kind == "raised"]
    if raising:
        yield f"{at(raising[0].probe)} it raises {raising[0].error}"
