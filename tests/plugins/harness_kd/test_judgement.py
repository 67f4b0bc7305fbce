"""A right KD loss is never accused, however it is written and whatever it is tried on."""

import numpy as np
import pytest
from harness_kd.judgement import JudgingRules
from harness_kd.reference import Case, Probe, probes
from harness_kd.verdict import judge
from hypothesis import given, settings
from hypothesis import strategies as st
from kd_fakes import check, readings_of
from kd_torch import CE, KL, MISTAKES, RIGHT, function


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("classes", [2, 7, 10, 11])
def test_right_on_the_probes(name, classes):
    found = check(RIGHT[name], classes)
    assert found.verdict == "passed", found.reason


@st.composite
def cases(draw):
    rows = draw(st.integers(2, 12))
    classes = draw(st.integers(2, 20).filter(lambda count: count != rows))
    scale = draw(st.sampled_from((0.01, 0.3, 1.0, 3.0, 10.0, 30.0)))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))

    def logits():
        return (scale * random.standard_normal((rows, classes))).astype(np.float32).astype(np.float64)

    return Case(logits(), random.integers(0, classes, rows), logits(), draw(st.floats(0, 1)), draw(st.floats(1, 20)))


@pytest.mark.parametrize("name", RIGHT)
@settings(max_examples=15)
@given(case=cases())
def test_right_everywhere(name, case):
    # torch's own divergence of distributions is infinite where a probability in float32 is 0.
    if (
        name in ("by hand", "entropies", "distributions")
        and np.ptp(case.teacher) + np.ptp(case.student) > 80 * case.temperature
    ):
        return  # softmax(…).log() is fragile there, which is another matter
    dtypes = ("float32", "float64")
    tried = [probe for probe in probes(10) if probe.purpose == "grid"]
    tried += [Probe(f"random {dtype}", case, dtype, "elsewhere", "random") for dtype in dtypes]
    (reading,), found = readings_of(RIGHT[name], tried)
    judgement = judge(reading, found, JudgingRules())
    assert judgement.passed, judgement


def test_fragile_is_a_warning_unless_the_assignment_says_so():
    found = check(RIGHT["by hand"])
    assert found.verdict == "passed"
    assert "±10,000" in found.hint
    assert "log_softmax" in found.hint
    found = check(RIGHT["by hand"], stability="fail")
    assert found.verdict == "failed"
    assert check(RIGHT["log target"], stability="fail").verdict == "passed"


def test_epsilon_in_a_logarithm_is_right_but_fragile():
    text = function(
        "p, q = F.softmax(teacher_outputs / T, 1), F.softmax(outputs / T, 1); "
        "soft = (p * ((p + 1e-9).log() - (q + 1e-9).log())).sum(1).mean(); "
        f"return alpha * T**2 * soft + (1 - alpha) * {CE}"
    )
    found = check(text)
    assert found.verdict == "passed"
    assert "epsilon" in found.hint


def test_gradient_through_the_teacher_is_a_remark():
    assert "torch.no_grad()" in check(RIGHT["kl_div"]).hint
    detached = RIGHT["kl_div"].replace("teacher_outputs / T", "teacher_outputs.detach() / T")
    assert check(detached).hint is None


def test_several_results_are_a_remark():
    found = check(function(f"kl, ce = {KL}, {CE}; return alpha * T**2 * kl + (1 - alpha) * ce, kl, ce"))
    assert found.verdict == "passed"
    assert "tuple of 3" in found.hint


def test_refusing_the_edges_of_alpha_is_a_remark():
    found = check(function(f"assert 0 < alpha < 1; return alpha * T**2 * {KL} + (1 - alpha) * {CE}"))
    assert found.verdict == "passed"
    assert "α=0" in found.hint


@pytest.mark.parametrize("name", ["reverse_kl", "soft_cross_entropy", "no_factor", "swapped", "mse_logits"])
def test_accepted_forms_pass(name):
    assert check(MISTAKES[name]).verdict == "failed"
    found = check(MISTAKES[name], accept=(name,))
    assert found.verdict == "passed", found.reason
    assert "accepted form" in found.reason
    assert check(RIGHT["kl_div"], accept=(name,)).verdict == "passed"
    assert check(MISTAKES["mean"], accept=(name,)).verdict == "failed"


def test_two_accepted_forms_pass_together():
    text = MISTAKES["no_factor"].replace("alpha *", "(1 - alpha) *", 1).replace("+ (1 - alpha) *", "+ alpha *")
    assert check(text, accept=("swapped",)).verdict == "failed"
    assert check(text, accept=("swapped", "no_factor")).verdict == "passed"


def test_unknown_accepted_form_is_refused_by_name():
    from harness_kd.check import KDLossOptions

    with pytest.raises(ValueError, match=r"reverse_lk.*reverse_kl"):
        KDLossOptions(accept=("reverse_lk",))
