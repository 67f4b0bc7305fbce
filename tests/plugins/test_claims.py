"""What students claim, against what was measured."""

from __future__ import annotations

import numpy as np
import pytest
from harness_claims import ClaimOptions, Claims
from student_fakes import FakeStudent, context, parameters

from harness.api import Curve, Metric, Predictions, Series

MEASURED = {
    "parameters": parameters(99_060),
    "accuracy": Metric(value=0.9, unit="fraction", higher_is_better=True),
    "stored_bytes": Metric(value=400_000, unit="bytes", higher_is_better=False),
}


def check(claims: dict[str, float], options: ClaimOptions | None = None, measured=MEASURED):
    found = Claims().evaluate(FakeStudent(claims=claims), context(options or ClaimOptions(), measured=measured))
    assert found.metrics == {}
    return found.checks[0] if found.checks else None


def test_no_claims_no_check():
    assert check({}) is None


def test_38_000_for_99_060_is_the_size_in_mebibytes():
    found = check({"parameters": 38_000})
    assert found.verdict == "failed"
    assert found.reason == "parameters: claimed 38,000, measured 99,060"
    assert found.hint == "0.38 MiB is the size of 99,060 parameters at 4 bytes each, not their number"


def test_the_size_in_megabytes_is_recognised_too():
    assert (
        check({"parameters": 0.4}).hint == "0.40 MB is the size of 99,060 parameters at 4 bytes each, not their number"
    )
    assert check({"parameters": 400_000}).hint.startswith("0.40 MB is the size")


@pytest.mark.parametrize("claimed", [99_061, 99_060, 98_800, 99_500])
def test_counts_may_be_rounded(claimed):
    assert check({"parameters": claimed}).verdict == "passed"


@pytest.mark.parametrize("claimed", [98_000, 100_000, 5_000, -99_060, 0])
def test_wrong_counts_fail_without_a_guess(claimed):
    found = check({"parameters": claimed})
    assert found.verdict == "failed"
    assert found.hint is None


@pytest.mark.parametrize(
    ("claimed", "verdict"), [(0.5, "passed"), (0.9, "passed"), (0.909, "passed"), (0.92, "failed")]
)
def test_only_too_good_an_accuracy_is_wrong(claimed, verdict):
    assert check({"accuracy": claimed}).verdict == verdict


def test_tolerances_are_the_assignments():
    assert check({"accuracy": 0.94}, ClaimOptions(accuracy_tolerance=0.05)).verdict == "passed"
    assert check({"parameters": 100_000}, ClaimOptions(relative_tolerance=0.01)).verdict == "passed"
    assert check({"accuracy": 0.9001}, ClaimOptions(accuracy_tolerance=0)).verdict == "failed"


def test_weights_bytes_is_stored_bytes():
    assert check({"weights_bytes": 400_000}).verdict == "passed"
    assert "weights_bytes: claimed 300,000, measured 400,000" in check({"weights_bytes": 300_000}).reason


def test_every_wrong_claim_is_listed():
    found = check({"parameters": 1, "accuracy": 1.0, "weights_bytes": 400_000})
    assert "parameters: claimed 1" in found.reason
    assert "accuracy: claimed 1" in found.reason
    assert "weights_bytes" not in found.reason


def test_what_was_not_measured_cannot_be_checked():
    found = check({"macs": 5e6})
    assert (found.verdict, found.reason) == ("could_not_check", "not measured here: macs")
    assert check({"macs": 5e6, "parameters": 1}).verdict == "failed"
    assert check({"parameters": 38_000}, measured={}).verdict == "could_not_check"


CURVES = (
    Curve(
        name="pruning",
        x="parameters",
        y="accuracy",
        series=(
            Series(label="global L1", points=((100_000, 0.94), (50_000, 0.93), (10_000, 0.6))),
            Series(label="random", points=((100_000, 0.94), (50_000, 0.5))),
        ),
    ),
)


def curve_check(points, name="pruning", claims=None, **more):
    student = FakeStudent(claims=claims or {}, claimed_curves={name: points})
    (found,) = Claims().evaluate(student, context(ClaimOptions(), measured=MEASURED, curves=CURVES, **more)).checks
    return found


@pytest.mark.parametrize(
    "points",
    [
        ((100_000, 0.94), (50_000, 0.93)),
        ((50_100, 0.935),),
        ((70_000, 0.94), (20_000, 0.9)),  # between two measured points: as good as the better one
        ((50_000, 0.4),),  # worse than measured is no lie
    ],
)
def test_a_claimed_curve_that_holds(points):
    assert curve_check(points).reason == "as claimed: the curve pruning"


def test_points_above_the_measured_curve_are_named():
    found = curve_check(((100_000, 0.94), (50_000, 0.95), (10_000, 0.9)))
    assert found.verdict == "failed"
    assert found.reason == (
        "pruning at 50,000 parameters: claimed 0.95, measured 0.93; pruning at 10,000 parameters: claimed 0.9, measured 0.6"
    )


def test_curves_that_were_not_measured_cannot_be_checked():
    assert curve_check(((1000, 0.9),)).reason == "not measured here: pruning at 1,000 parameters (measured elsewhere)"
    assert curve_check(((50_000, 0.9),), "slimming").reason == "not measured here: the curve slimming"
    assert curve_check(((50_000, 0.9),), "slimming", {"parameters": 1}).verdict == "failed"


def test_claims_of_predictions():
    handed_in = Predictions(np.array([0, 1]), {"accuracy": 0.95, "parameters": 5.0}, {})
    measured = {"accuracy": MEASURED["accuracy"]}
    (found,) = Claims().evaluate_predictions(handed_in, context(ClaimOptions(), measured=measured)).checks
    assert found.reason == "accuracy: claimed 95.00 %, measured 90.00 %"


def test_percent_for_a_fraction_is_recognised():
    assert check({"accuracy": 93.93}).hint == "accuracy is a fraction: write 0.9393"
