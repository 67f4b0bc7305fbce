"""Points, gates, and the prediction a student gets."""

from __future__ import annotations

from typing import Any

import pytest
from result_fakes import count, metric, rules

from harness.api import Check, Metric
from harness.points import rubric
from harness.values.rules import AssignmentFile, PointRule, Rubric


def graded(points: list[dict[str, Any]], *gates: str, split: bool = False) -> AssignmentFile:
    data = {"id": "d", "dataset": "idx", "path": "d"} | ({"public_fraction": 0.5} if split else {})
    rows = tuple(PointRule.model_validate(row) for row in points)
    return rules(rubric=Rubric(gates=gates, points=rows), data={"test": data})


TIERS = [
    {"name": "simple", "baseline": "simple", "points": 3},
    {"name": "strong", "baseline": "strong", "points": 2},
    {"name": "small", "metric": "parameters", "at_most": 100, "points": 1},
    {"name": "loss", "check": "kd_loss", "points": 4},
]
LOSS = {"kd_loss": Check.passed("kd_loss", "fine")}


@pytest.mark.parametrize(
    ("accuracy", "parameters", "checks", "expected"),
    [
        (0.95, 100, LOSS, [3, 2, 1, 4]),
        (0.9499999, 101, LOSS, [3, 0, 0, 4]),
        (0.1, 1, {}, [0, 0, 1, 0]),
        (0.8, 1, {"kd_loss": Check.could_not_check("kd_loss", "no file")}, [3, 0, 1, 0]),
    ],
)
def test_every_condition(accuracy: float, parameters: int, checks: dict[str, Check], expected: list[float]) -> None:
    metrics = {"accuracy": metric(accuracy), "parameters": count(parameters)}
    lines = rubric.points(graded(TIERS), checks, metrics)
    assert [line.points for line in lines] == expected
    assert all(line.reason for line in lines)


def test_what_was_not_measured_earns_nothing_and_says_so() -> None:
    lines = rubric.points(graded(TIERS), LOSS, {})
    assert [line.points for line in lines] == [0, 0, 0, 4]
    assert lines[0].reason == "accuracy was not measured"


@pytest.mark.parametrize(
    ("verdict", "total", "pending"), [("passed", 4, 0), ("failed", 0, 0), ("could_not_check", 0, 4)]
)
def test_a_failed_gate_takes_the_points_and_an_undecided_one_withholds_them(
    verdict: Any, total: float, pending: float
) -> None:
    gate = Check(name="parameter_limit", verdict=verdict, reason="x")
    lines = rubric.points(graded(TIERS, "parameter_limit"), {**LOSS, "parameter_limit": gate}, {})
    assert sum(line.points for line in lines) == total
    assert sum(line.pending for line in lines) == pending


def test_the_points_of_a_check_that_could_not_be_made_are_pending() -> None:
    lines = rubric.points(graded(TIERS), {"kd_loss": Check.could_not_check("kd_loss", "no file")}, {})
    assert [(line.points, line.pending) for line in lines] == [(0, 0), (0, 0), (0, 0), (0, 4)]
    assert "kd_loss could not be checked" in lines[3].reason


def test_totals() -> None:
    assert rubric.max_score(graded(TIERS)) == 10
    assert rubric.max_score(graded([])) == 0
    assert [(line.points, line.max_points) for line in rubric.nothing(graded(TIERS[:1]), "crashed")] == [(0, 3)]


PUBLIC = [{"name": "public", "metric": "accuracy_public", "baseline": "simple", "points": 1}]
PRIVATE = [*PUBLIC, {"name": "private", "metric": "accuracy_private", "baseline": "simple", "points": 1}]


@pytest.mark.parametrize(
    ("public", "expected"),
    [
        # Half-widths of 0.02 become 0.0283 for the private images; the public ones are those that are graded.
        (metric(0.90, low=0.88, high=0.92), (2, 2, 2)),
        (metric(0.83, low=0.81, high=0.85), (2, 2, 2)),
        (metric(0.825, low=0.805, high=0.845), (1, 2, 2)),
        (metric(0.81, low=0.79, high=0.83), (1, 2, 2)),
        (metric(0.77, low=0.75, high=0.79), (0, 0, 0)),
        (metric(0.775, low=0.755, high=0.795), (0, 0, 1)),
    ],
)
def test_private_points_are_guessed_from_the_public_images(public: Metric, expected: tuple[float, ...]) -> None:
    found = rubric.predict(graded(PRIVATE, split=True), {}, {"accuracy_public": public})
    assert (found.low, found.score, found.high) == expected


def test_an_overall_figure_holds_what_is_certain_of_the_public_images() -> None:
    """Against SciPy: with 3 of 4 images public, draws of the private quarter around the public accuracy."""
    from scipy.stats import binom, norm

    public, private, right = 3000, 1000, 0.8
    half = norm.ppf(0.975) * (right * (1 - right) / public) ** 0.5
    seen = metric(right, low=right - half, high=right + half)
    # The spread of the whole is that of two samples: of the 1,000 to come, and of what 3,000 tell of their mean.
    spread = (binom.var(private, right) / (public + private) ** 2 * (1 + private / public)) ** 0.5
    edge = norm.ppf(0.975) * spread
    for level, low in ((right - 1.01 * edge, 1), (right - 0.99 * edge, 0)):
        file = graded([{"name": "A", "metric": "accuracy", "at_least": level, "points": 1}], split=True)
        file = file.model_copy(
            update={"data": {"test": file.data["test"].model_copy(update={"public_fraction": 0.75})}}
        )
        found = rubric.predict(file, {}, {"accuracy": seen, "accuracy_public": seen})
        assert (found.low, found.score) == (low, 1)


def test_public_points_are_certain_and_private_ones_a_range() -> None:
    rows = [
        {"name": "public", "metric": "accuracy_public", "baseline": "simple", "points": 3},
        {"name": "private", "metric": "accuracy_private", "baseline": "simple", "points": 4},
    ]
    found = rubric.predict(graded(rows, split=True), {}, {"accuracy_public": metric(0.801, low=0.78, high=0.82)})
    assert (found.low, found.score, found.high) == (3, 7, 7)


def test_without_a_split_nothing_is_uncertain() -> None:
    found = rubric.predict(graded(TIERS), LOSS, {"accuracy": metric(0.8, low=0.7, high=0.9)})
    assert (found.low, found.score, found.high) == (7, 7, 7)


def test_fewer_is_better_turns_the_interval_around() -> None:
    size = Metric(value=100, unit="bytes", higher_is_better=False, low=90, high=110)
    row = {"name": "size", "metric": "size", "at_most": 100, "points": 1}
    found = rubric.predict(graded([row], split=True), {}, {"size": size})
    assert (found.low, found.score, found.high) == (0, 1, 1)
