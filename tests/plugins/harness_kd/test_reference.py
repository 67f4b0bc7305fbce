import json

import numpy as np
import pytest
from harness_kd.catalogue import Formula
from harness_kd.reference import GRID, Case, gradient, hard_half, loss, probes, soft_half
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, rel_entr, softmax

from harness.assignment.shipped import fixtures

REFERENCE = json.loads((fixtures() / "kd_reference" / "reference.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("entry", REFERENCE["cases"], ids=lambda entry: entry["name"])
def test_numpy_agrees_with_50_digits(entry):
    case = Case(
        np.array(entry["student"]),
        np.array(entry["labels"]),
        np.array(entry["teacher"]),
        entry["alpha"],
        entry["temperature"],
    )
    assert loss(case) == pytest.approx(entry["loss"], rel=1e-13)
    assert soft_half(case) == pytest.approx(entry["soft"], rel=1e-13)
    assert hard_half(case) == pytest.approx(entry["hard"], rel=1e-13)
    np.testing.assert_allclose(gradient(case), entry["gradient"], atol=1e-15)


def test_reference_covers_the_grid_for_the_assignments_classes():
    held = {(len(e["student"][0]), e["alpha"], e["temperature"]) for e in REFERENCE["cases"]}
    assert {(classes, *setting) for classes in (10, 11) for setting in GRID} <= held


@st.composite
def cases(draw):
    rows, classes = draw(st.integers(2, 9)), draw(st.integers(2, 13))
    scale = draw(st.sampled_from((0.1, 1.0, 3.0, 10.0)))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    return Case(
        scale * random.standard_normal((rows, classes)),
        random.integers(0, classes, rows),
        scale * random.standard_normal((rows, classes)),
        draw(st.floats(0, 1)),
        draw(st.floats(1, 20)),
    )


@settings(max_examples=60)
@given(cases())
def test_numpy_agrees_with_scipy(case):
    p, q = softmax(case.teacher / case.temperature, axis=1), softmax(case.student / case.temperature, axis=1)
    soft = case.temperature**2 * rel_entr(p, q).sum() / len(case.labels)
    rows = np.arange(len(case.labels))
    hard = -log_softmax(case.student, axis=1)[rows, case.labels].mean()
    expected = case.alpha * soft + (1 - case.alpha) * hard
    assert loss(case) == pytest.approx(expected, rel=1e-9, abs=1e-11 * case.temperature**2)
    # The catalogue's right formula is written separately; its gradient is numerical.
    assert Formula().value(case) == pytest.approx(expected, rel=1e-9, abs=1e-11 * case.temperature**2)
    np.testing.assert_allclose(Formula().gradient(case), gradient(case), atol=1e-6)


@pytest.mark.parametrize("classes", [2, 7, 10, 11, 100])
def test_probes_are_named_once_and_never_square(classes):
    tried = probes(classes)
    assert len({probe.name for probe in tried}) == len(tried)
    assert all(len(probe.case.labels) != classes for probe in tried if probe.purpose == "grid")
    for probe in tried:
        student = probe.case.student
        assert np.array_equal(student.astype(np.float32).astype(np.float64), student) or "positive" in probe.name


def test_fixtures_are_found():
    assert (fixtures() / "kd_reference" / "reference.json").is_file()
