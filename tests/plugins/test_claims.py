"""What students claim, against what was measured."""

from __future__ import annotations

import pytest
from harness_claims import ClaimOptions, Claims
from student_fakes import FakeStudent, context, parameters

from harness.api import Metric

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
