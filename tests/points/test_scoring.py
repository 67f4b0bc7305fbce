"""Every point is explained: by rank, by hand, late, capped, overridden; against sums done by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from result_fakes import MEASURES, result, rules

from harness.api import Check
from harness.points.lateness import lateness
from harness.points.scoring import Place, ScoreInputs, most, score_lines, total
from harness.values.decisions import Override
from harness.values.late_policy import LatePolicy
from harness.values.results import Result
from harness.values.rules import AssignmentFile, ManualPoints, PointRule, RankPoints, Rubric

DUE = "2026-01-31T23:59:00+08:00"
TAIPEI = timezone(timedelta(hours=8))
ON_TIME = datetime(2026, 1, 31, 23, 58, tzinfo=TAIPEI)


def graded_by(**parts: Any) -> AssignmentFile:
    rubric = {
        "gates": ("parameter_limit",),
        "points": (
            PointRule(name="simple", baseline="simple", points=3),
            PointRule(name="loss", check="kd_loss", points=2),
        ),
        **parts,
    }
    return rules(rubric=Rubric(**rubric))


def scored(document: AssignmentFile, outcome: Result | None = None, **found: Any) -> dict[str, tuple[float, str]]:
    outcome = outcome or result()
    late = lateness(document.rubric.late, outcome)
    circumstances = ScoreInputs(**{"places": {}, "manual_points": {}, "lateness": late, **found})
    return {line.name: (line.points, line.reason) for line in score_lines(document, outcome, circumstances)}


@pytest.mark.parametrize(
    ("rank", "of", "points"), [(1, 31, 30), (31, 31, 0), (16, 31, 15), (1, 1, 30), (2, 2, 0), (2, 3, 15)]
)
def test_rank_points_fall_in_equal_steps_from_the_first_to_the_last(rank: int, of: int, points: float) -> None:
    document = graded_by(rank=(RankPoints(name="private rank", points=30),))
    found = scored(document, places={"accuracy": Place(rank, of)})
    assert found["private rank"][0] == pytest.approx(points)
    assert found["private rank"][1].startswith(f"rank {rank} of {of} by accuracy: ")


@pytest.mark.parametrize(("rank", "points"), [(1, 0.5), (3, 0.5), (4, 0)])
def test_only_the_first_few_get_the_points(rank: int, points: float) -> None:
    document = graded_by(rank=(RankPoints(name="top three", points=0.5, top=3),))
    assert scored(document, places={"accuracy": Place(rank, 50)})["top three"] == (
        points,
        f"rank {rank} of 50 by accuracy; the first 3 get the points",
    )


def test_without_a_place_there_are_no_points_for_it() -> None:
    document = graded_by(rank=(RankPoints(name="rank", points=9),))
    assert scored(document)["rank"] == (0, "no place among those ranked by accuracy")


def test_manual_points_are_given_or_awaited() -> None:
    document = graded_by(manual=(ManualPoints(name="report", points=20), ManualPoints(name="demo", points=5)))
    lines = score_lines(document, result(), ScoreInputs({}, {"report": 17.5}))
    assert [(line.name, line.points, line.reason) for line in lines[2:]] == [
        ("report", 17.5, "given by hand"),
        ("demo", 0, "not given yet"),
    ]
    assert (total(lines), most(document, lines)) == (20.5, 30)


def test_a_failed_gate_leaves_nothing_of_anything() -> None:
    document = graded_by(rank=(RankPoints(name="rank", points=9),), manual=(ManualPoints(name="report", points=20),))
    over = result(checks=(Check.failed("parameter_limit", "too many"),))
    found = scored(document, over, places={"accuracy": Place(1, 2)}, manual_points={"report": 20})
    assert {points for points, _ in found.values()} == {0}
    assert found["report"][1] == "0 because parameter_limit failed"


@pytest.mark.parametrize(
    ("days", "most_percent", "lost"), [(1, 100, 0.5), (3, 100, 1.5), (11, 100, 5.0), (30, 100, 5.0), (30, 40, 2.0)]
)
def test_lateness_takes_its_share_up_to_a_limit_and_says_so(days: int, most_percent: float, lost: float) -> None:
    late = LatePolicy(due=DUE, percent_per_day=10, most_percent=most_percent)
    handed_in = ON_TIME.astimezone(UTC) + timedelta(days=days)
    document = graded_by(late=late, manual=(ManualPoints(name="report", points=2),))
    points, reason = scored(document, result(submitted_at=handed_in), manual_points={"report": 2})["lateness"]
    assert points == pytest.approx(-lost)
    assert reason.startswith("handed in 2026-0")
    assert "UTC+08:00, due 2026-01-31 23:59 UTC+08:00: " in reason
    assert reason.endswith(
        f"{'1 day' if days == 1 else f'{days} days'} late at 10 % a day, {min(most_percent, 10 * days):g} % of 5"
    )


def test_grace_is_said_and_punctuality_is_not() -> None:
    document = graded_by(late=LatePolicy(due=DUE, grace_minutes=10, percent_per_day=50))
    assert "lateness" not in scored(document, result(submitted_at=ON_TIME))
    points, reason = scored(document, result(submitted_at=ON_TIME + timedelta(minutes=10)))["lateness"]
    assert points == 0
    assert reason.endswith("within 10 minutes of grace")


def test_the_cap_comes_before_lateness() -> None:
    late = LatePolicy(due=DUE, percent_per_day=50)
    document = graded_by(cap=4, late=late, manual=(ManualPoints(name="bonus", points=3),))
    outcome = result(submitted_at=ON_TIME + timedelta(days=1))
    found = ScoreInputs({}, {"bonus": 3}, lateness=lateness(late, outcome))
    lines = score_lines(document, outcome, found)
    assert [(line.kind, line.points) for line in lines[3:]] == [("cap", -2), ("late", -2)]
    assert (total(lines), most(document, lines)) == (2, 4)


def test_an_override_replaces_the_sum_and_keeps_it_in_sight() -> None:
    override = Override(at=ON_TIME, author="Dr. Li", reason="the loss is right", score=5)
    assert scored(graded_by(), override=override)["override"] == (
        2,
        "Dr. Li set the score to 5 instead of 3: the loss is right",
    )
    lines = score_lines(graded_by(), result(), ScoreInputs({}, {}, override))
    assert total(lines) == 5


def test_what_private_images_decide_is_not_public() -> None:
    split = {"test": {"id": "d", "dataset": "idx", "path": "d", "public_fraction": 0.5}}
    points = (
        PointRule(name="public", metric="accuracy_public", baseline="simple", points=1),
        PointRule(name="private", metric="accuracy_private", baseline="simple", points=1),
        PointRule(name="all", baseline="simple", points=1),
        PointRule(name="small", metric="parameters", at_most=9, points=1),
    )
    document = rules(data=split, rubric=Rubric(points=points, rank=(RankPoints(name="rank", points=1),)))
    outcome = result(points=[{"name": rule.name, "points": 1, "max_points": 1, "reason": "."} for rule in points])
    lines = score_lines(document, outcome, ScoreInputs({}, {}, measures=MEASURES))
    assert {line.name for line in lines if line.public} == {"public", "small"}


numbers = st.floats(0, 100).map(lambda number: round(number, 3))


@given(st.lists(numbers, max_size=6), st.one_of(st.none(), numbers), st.integers(0, 40), numbers)
def test_a_score_is_the_sum_of_its_lines_and_within_bounds(
    given_points: list[float], cap: float | None, days: int, percent: float
) -> None:
    manual = tuple(ManualPoints(name=str(index), points=100) for index in range(len(given_points)))
    late = LatePolicy(due=DUE, percent_per_day=percent)
    document = rules(rubric=Rubric(manual=manual, cap=cap, late=late))
    manual_points = {str(index): points for index, points in enumerate(given_points)}
    outcome = result(points=(), submitted_at=datetime.fromisoformat(DUE) + timedelta(days=days))
    lines = score_lines(document, outcome, ScoreInputs({}, manual_points, lateness=lateness(late, outcome)))
    earned = sum(given_points) if cap is None else min(cap, sum(given_points))
    assert total(lines) == pytest.approx(earned * max(0, 1 - days * percent / 100), abs=0.0051)
    assert 0 <= total(lines) <= most(document, lines) + 1e-6
    assert all(line.reason for line in lines)
