"""What a diagnosis states as fact is so: the printed formula gives what the function returned."""

import random
import re

import numpy as np
import pytest
import torch
from harness_kd.catalogue import Formula, mistakes
from harness_kd.judgement import JudgingRules
from harness_kd.reference import Case, probes
from harness_kd.verdict import decide
from kd_fakes import HEAD, readings_of
from kd_formulas import value
from kd_torch import DIVERGENCES, HARD_SCALES, HARDS, MISTAKES, POWERS, REDUCTIONS, SOFTENINGS, WEIGHTS, source

PARTS = {"softening": SOFTENINGS, "divergence": DIVERGENCES, "reduction": REDUCTIONS, "power": POWERS,
         "weights": WEIGHTS, "hard": HARDS, "hard_scale": HARD_SCALES}  # fmt: skip
TWISTS = (
    ("", ""), ("", ""), ("alpha * soft", "1.7 * alpha * soft"), ("    s, t, y", "    T = 3.7\n    s, t, y"),
    ("    s, t, y", "    alpha = 0.35\n    s, t, y"), ("return ", "return 0.5 * "), ("s, t, y =", "alpha, T = 0.123456, 5.5; s, t, y ="),
    ("* hard", "* hard * 1.25"), ("return ", "return T * "), ("hard = hard", "hard = hard + 0.01 * s.pow(2).mean()"),
)  # fmt: skip
CASES = [
    Case(3 * draw.standard_normal((rows, 10)), draw.integers(0, 10, rows), 3 * draw.standard_normal((rows, 10)), alpha, heat)
    for rows, alpha, heat in ((5, 0.35, 3.0), (8, 0.8, 1.5))
    for draw in [np.random.default_rng(rows)]
]  # fmt: skip
GRID = ((0.3, 4.0), (0.7, 2.5))


def wrong_functions(seed, count):
    chance = random.Random(seed)
    for _ in range(count):
        parts = {part: chance.choice(list(ways)) for part, ways in PARTS.items()}
        parts = {part: way if chance.random() < 0.35 else next(iter(PARTS[part])) for part, way in parts.items()}
        yield source(**parts).replace(*chance.choice(TWISTS), 1)
    yield from MISTAKES.values()


def returned(text, case):
    module = {}
    exec(HEAD + text, module)
    student, labels, teacher = map(torch.from_numpy, (case.student.copy(), case.labels, case.teacher.copy()))
    return float(module["loss_fn_kd"](student, labels, teacher, alpha=case.alpha, T=case.temperature))


@pytest.mark.filterwarnings("ignore:reduction")
def test_every_stated_formula_gives_what_was_returned():
    stated = suggested = 0
    for text in wrong_functions(seed=11, count=90):
        _, judgement = decide(readings_of(text, probes(10))[0], JudgingRules())
        formula = re.search(r"L = (.*?)(?:; (?!label)| gives the same values|\)$)", judgement.reason + "; ")
        if judgement.passed or not formula:
            continue
        stated += judgement.stated
        suggested += not judgement.stated
        if judgement.stated:
            assert "it computes L = " in judgement.reason
            assert 1 <= len(judgement.fit.formula.mistakes) <= 3
        for case in (*(probe.case for probe in probes(10) if probe.purpose == "grid"), *CASES[-2:]):
            expected = returned(text, case)
            assert value(formula[1], case) == pytest.approx(expected, rel=1e-4, abs=1e-5), (judgement.reason, text)
    assert stated >= 80
    assert suggested >= 5


def test_what_formulas_print_is_what_they_compute():
    """The text of every formula of the catalogue, and of many compounds, read by another implementation."""
    from harness_kd.catalogue import PARTS as CHOICES

    chance = random.Random(5)
    formulas = [mistake.formula for mistake in mistakes()] + [
        Formula(**{part: chance.choice(ways) if chance.random() < 0.4 else ways[0] for part, ways in CHOICES.items()})
        for _ in range(400)
    ]
    case = CASES[-1]
    for formula in formulas:
        computed = formula.value(case)
        if np.isfinite(computed):
            assert value(str(formula), case) == pytest.approx(computed, rel=1e-7, abs=1e-9), str(formula)


def test_numbers_in_the_source_come_before_those_that_fit():
    text = source().replace("    s, t, y", "    T = 3.7\n    alpha = 0.35\n    s, t, y", 1)
    (reading, *_), _ = readings_of(text, probes(10))
    _, judgement = decide([reading], JudgingRules())
    assert "α is hard-coded as 0.35, and T is hard-coded as 3.7" in judgement.reason
    assert "0.35·T²·KL(p‖q) + 0.65·CE(s, y), T=3.7 always" in judgement.reason


def test_many_mistakes_at_once_are_no_fact():
    text = source(softening="student_only", reduction="mean", power="t", weights="swapped", hard="softened_ce")
    _, judgement = decide(readings_of(text, probes(10))[0], JudgingRules())
    assert judgement.verdict == "failed"
    assert "it computes" not in judgement.reason
    assert "gives the same values, as other formulas may" in judgement.reason
