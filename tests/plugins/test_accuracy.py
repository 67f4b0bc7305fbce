"""Accuracy and its interval, against the closed formula in high precision and a published figure."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch
from harness_accuracy import Accuracy, accuracy
from hypothesis import given
from hypothesis import strategies as st
from student_fakes import FakeStudent, context, evaluated, examples

Z = mpmath.sqrt(2) * mpmath.erfinv(mpmath.mpf("0.95"))
TIERS = {"simple": 0.25, "medium": 0.5, "strong": 0.75, "boss": 1.0}


def wilson(hits: int, n: int) -> tuple[float, float]:
    with mpmath.workdps(40):
        p = mpmath.mpf(hits) / n
        centre = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
        half = Z * mpmath.sqrt(p * (1 - p) / n + Z**2 / (4 * mpmath.mpf(n) ** 2)) / (1 + Z**2 / n)
        return float(centre - half), float(centre + half)


def bits(hits: int, n: int) -> np.ndarray:
    return np.arange(n) < hits


def answering(classes: list[int]) -> FakeStudent:
    return FakeStudent(answer=lambda _: torch.nn.functional.one_hot(torch.tensor(classes), 10).float())


def test_ten_thousand_images_at_ninety_percent_are_known_to_six_thousandths():
    found = accuracy(bits(9000, 10_000))
    assert found.value == 0.9
    assert (found.high - found.low) / 2 == pytest.approx(0.0059, abs=5e-5)
    assert (found.low, found.high) == pytest.approx(wilson(9000, 10_000), abs=1e-12)


def test_an_example_from_the_literature():
    # Newcombe 1998 (doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E), table I, method 3.
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (hits, n), interval in published.items():
        found = accuracy(bits(hits, n))
        assert (found.low, found.high) == pytest.approx(interval, abs=5.1e-5)


@given(st.integers(1, 20_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_wilsons(case):
    hits, n = case
    found = accuracy(bits(hits, n))
    assert found.value == hits / n
    low, high = wilson(hits, n)
    assert found.low == pytest.approx(max(0.0, low), abs=1e-9)
    assert found.high == pytest.approx(min(1.0, high), abs=1e-9)
    assert found.low - 1e-12 <= found.value <= found.high + 1e-12


def test_the_share_of_right_answers_and_every_answer():
    graded = examples([3, 1, 4, 1])
    found = Accuracy().evaluate(answering([3, 1, 0, 9]), context(examples=graded))
    assert found.metrics.keys() == {"accuracy"}
    assert found.metrics["accuracy"].value == 0.5
    assert found.metrics["accuracy"].unit == "fraction"
    assert found.metrics["accuracy"].higher_is_better
    assert found.predictions == (3, 1, 0, 9)
    assert found.checks == ()


def test_ties_go_to_the_lowest_class():
    student = FakeStudent(answer=lambda images: torch.zeros(len(images.pixels), 10))
    found = Accuracy().evaluate(student, context(examples=examples([0, 5])))
    assert found.predictions == (0, 0)


@pytest.mark.parametrize(
    ("right", "verdict", "words"),
    [
        (0, "failed", "accuracy 0.00 % is below simple (25.00 %)"),
        (1, "passed", "accuracy 25.00 % reaches simple (25.00 %); next is medium (50.00 %)"),
        (2, "passed", "reaches simple (25.00 %), medium (50.00 %); next is strong (75.00 %)"),
        (
            4,
            "passed",
            "accuracy 100.00 % reaches simple (25.00 %), medium (50.00 %), strong (75.00 %), boss (100.00 %)",
        ),
    ],
)
def test_tiers_name_what_is_reached_and_what_is_next(right, verdict, words):
    predicted = [1] * right + [0] * (4 - right)
    given = context(examples=examples([1] * 4))
    (check,) = evaluated(Accuracy(), answering(predicted), given, baselines=TIERS).checks
    assert (check.name, check.verdict) == ("accuracy_baseline", verdict)
    assert check.reason.endswith(words)


def test_just_below_a_baseline_is_noise_far_below_is_not():
    graded = examples([1] * 1000)
    near = evaluated(Accuracy(), answering([1] * 495 + [0] * 505), context(examples=graded), baselines={"simple": 0.5})
    assert "within the noise" in near.checks[0].hint
    assert f"{100 * wilson(495, 1000)[1]:.2f} %" in near.checks[0].hint
    far = evaluated(Accuracy(), answering([1] * 300 + [0] * 700), context(examples=graded), baselines={"simple": 0.5})
    assert "preprocessing" in far.checks[0].hint


@pytest.mark.parametrize("right", [300, 495])
def test_an_accuracy_on_stand_in_images_gets_no_advice_on_training(right):
    given = context(examples=examples([1] * 1000))
    (check,) = evaluated(
        Accuracy(), answering([1] * right + [0] * (1000 - right)), given, baselines={"simple": 0.5}, stand_in=True
    ).checks
    assert check.verdict == "failed"
    assert check.hint == "these images only stand in for the real ones: measured on them an accuracy says nothing"


PUBLIC = np.array([True, False, True, False])


def test_a_split_gives_three_figures_to_the_instructor():
    graded = context(examples=examples([1, 1, 1, 1]), public=PUBLIC, split=True)
    metrics = Accuracy().evaluate(answering([1, 0, 1, 1]), graded).metrics
    assert {name: metric.value for name, metric in metrics.items()} == {
        "accuracy": 0.75,
        "accuracy_public": 1.0,
        "accuracy_private": 0.5,
    }
    assert (metrics["accuracy_private"].low, metrics["accuracy_private"].high) == pytest.approx(wilson(1, 2))


def test_the_instructor_keeps_which_images_were_right_part_by_part():
    graded = context(examples=examples([1, 1, 2, 1]), public=PUBLIC, split=True)
    found = Accuracy().evaluate(answering([1, 0, 7, 1]), graded)
    assert np.unpackbits(np.frombuffer(found.correct.public, np.uint8)).tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert np.unpackbits(np.frombuffer(found.correct.private, np.uint8)).tolist() == [0, 1, 0, 0, 0, 0, 0, 0]
    assert found.correct.everything == found.correct.public + found.correct.private


def test_the_baseline_of_split_data_goes_by_the_public_images():
    tiers = {"simple": 0.8}
    graded = context(examples=examples([1, 1, 1, 1]), public=PUBLIC, split=True)
    (check,) = evaluated(Accuracy(), answering([1, 0, 1, 0]), graded, baselines=tiers).checks
    assert (check.verdict, check.reason) == ("passed", "accuracy 100.00 % reaches simple (80.00 %)")


def test_a_student_never_gets_a_private_figure():
    # The student's context holds the public examples only: grading cut the others away.
    graded = context(examples=examples([1, 1]), public=PUBLIC[PUBLIC], split=True, audience="student")
    found = Accuracy().evaluate(answering([1, 0]), graded)
    assert found.metrics.keys() == {"accuracy", "accuracy_public"}
    assert len(found.predictions) == 2
    assert found.correct is None


def test_confusion_counts_public_images_by_true_and_predicted_class():
    graded = examples([0, 0, 1, 2, 2], classes=3)
    public = np.array([True, True, True, True, False])
    found = Accuracy().evaluate(answering([0, 1, 1, 0, 2]), context(examples=graded, public=public, split=True))
    assert found.confusion == ((1, 1, 0), (0, 1, 0), (1, 0, 0))


def test_a_confusion_matrix_nobody_can_read_is_left_out():
    found = Accuracy().evaluate(answering([0, 1]), context(examples=examples([0, 1], classes=101)))
    assert found.confusion is None
