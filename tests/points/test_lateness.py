"""How late a hand-in is, against moments in UTC worked out by hand from the zones' published rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from result_fakes import result, rules

from harness.points.lateness import lateness
from harness.points.scoring import ScoreInputs, score_lines
from harness.values.late_policy import LatePolicy
from harness.values.rules import Rubric

DUE = "2026-01-31T23:59:00+08:00"
TAIPEI = timezone(timedelta(hours=8))
ON_TIME = datetime(2026, 1, 31, 23, 58, tzinfo=TAIPEI)


def late_by(policy: LatePolicy | None, at: datetime | None, extended: datetime | None = None) -> int | None:
    return lateness(policy, result(submitted_at=at), extended).days


@pytest.mark.parametrize(
    ("late", "days"),
    [
        (timedelta(days=-3), 0),
        (timedelta(0), 0),
        (timedelta(minutes=15), 0),
        (timedelta(minutes=15, seconds=1), 1),
        (timedelta(hours=24), 1),
        (timedelta(hours=24, seconds=1), 2),
        (timedelta(days=9), 9),
    ],
)
@pytest.mark.parametrize("zone", [UTC, TAIPEI, timezone(-timedelta(hours=5))])
def test_a_day_of_lateness_counts_once_it_has_begun_in_any_time_zone(
    late: timedelta, days: int, zone: timezone
) -> None:
    policy = LatePolicy(due=DUE, grace_minutes=15)
    assert late_by(policy, (datetime.fromisoformat(DUE) + late).astimezone(zone)) == days


def test_nothing_is_late_without_a_date_or_a_time() -> None:
    assert late_by(None, ON_TIME) is None
    assert late_by(LatePolicy(percent_per_day=10), ON_TIME) is None
    assert late_by(LatePolicy(due=DUE), None) is None


@pytest.mark.parametrize(
    ("zone", "due", "at_in_utc", "begun"),
    [
        # New York sets its clocks forward on 2026-03-08 at 02:00 EST (07:00 UTC), so that the day after has 23 hours.
        ("America/New_York", "2026-03-07T23:59:00", "2026-03-08T04:59:00", 0),  # 23:59 EST is 04:59 UTC
        ("America/New_York", "2026-03-07T23:59:00", "2026-03-09T03:59:00", 1),  # 23:59 EDT, 23 hours later
        ("America/New_York", "2026-03-07T23:59:00", "2026-03-09T03:59:01", 2),
        ("America/New_York", "2026-03-07T23:59:00", "2026-03-10T03:59:00", 2),  # and 24 hours after that
        # It sets them back on 2026-11-01 at 02:00 EDT (06:00 UTC): 25 hours.
        ("America/New_York", "2026-10-31T23:59:00", "2026-11-02T04:59:00", 1),
        ("America/New_York", "2026-10-31T23:59:00", "2026-11-02T04:59:01", 2),
        # Due at what clocks never show: 02:30 on the 8th is 03:30 EDT; and the day before at 02:30 EST, 07:30 UTC.
        ("America/New_York", "2026-03-08T02:30:00", "2026-03-08T07:30:00", 0),
        ("America/New_York", "2026-03-08T02:30:00", "2026-03-08T07:30:01", 1),
        ("America/New_York", "2026-03-07T02:30:00", "2026-03-08T07:30:00", 1),
        ("America/New_York", "2026-03-07T02:30:00", "2026-03-08T07:30:01", 2),
        # Due at what they show twice: 01:30 on 2026-11-01 is last 01:30 EST, 06:30 UTC.
        ("America/New_York", "2026-11-01T01:30:00", "2026-11-01T06:30:00", 0),
        ("America/New_York", "2026-11-01T01:30:00", "2026-11-01T06:30:01", 1),
        # Berlin: forward on 2026-03-29 at 01:00 UTC, back on 2026-10-25 at 01:00 UTC.
        ("Europe/Berlin", "2026-03-28T12:00:00", "2026-03-29T10:00:00", 1),  # 12:00 CEST, 23 hours after 11:00 UTC
        ("Europe/Berlin", "2026-03-28T12:00:00", "2026-03-29T10:00:01", 2),
        ("Europe/Berlin", "2026-10-24T12:00:00", "2026-10-25T11:00:00", 1),  # 12:00 CET, 25 hours after 10:00 UTC
        # Taipei has one offset all year; Lord Howe Island moves by half an hour (2026-04-05, 15:00 UTC the day before).
        ("Asia/Taipei", "2026-01-31T23:59:00", "2026-02-01T15:59:00", 1),
        ("Australia/Lord_Howe", "2026-04-04T12:00:00", "2026-04-05T01:30:00", 1),  # +11 before, +10:30 after
        ("Australia/Lord_Howe", "2026-04-04T12:00:00", "2026-04-05T01:30:01", 2),
    ],
)
def test_a_day_ends_when_clocks_show_the_due_time_again(zone: str, due: str, at_in_utc: str, begun: int) -> None:
    policy = LatePolicy(timezone=zone, due=due)
    at = datetime.fromisoformat(at_in_utc).replace(tzinfo=UTC)
    for elsewhere in (UTC, TAIPEI, timezone(-timedelta(hours=9, minutes=30))):
        assert late_by(policy, at.astimezone(elsewhere)) == begun


def test_an_offset_alone_knows_no_change_of_clocks() -> None:
    policy = LatePolicy(due="2026-03-07T23:59:00-05:00")
    assert late_by(policy, datetime(2026, 3, 9, 4, 59, tzinfo=UTC)) == 1


def test_an_extension_moves_the_due_date_and_says_so() -> None:
    policy = LatePolicy(timezone="Asia/Taipei", due="2026-01-31T23:59:00", percent_per_day=10)
    extended = datetime(2026, 2, 3, 15, 59, tzinfo=UTC)
    assert late_by(policy, extended, extended) == 0
    late = lateness(policy, result(submitted_at=extended + timedelta(minutes=2), time_source="platform"), extended)
    assert late.days == 1
    assert late.reason == (
        "handed in 2026-02-04 00:01 UTC+08:00, says the learning platform, "
        "due 2026-02-03 23:59 UTC+08:00 (extended): 1 day late"
    )


@pytest.mark.parametrize(("late_unknown", "counted", "lost"), [("ask", None, 0), ("none", None, 0), (2, 2, 0.6)])
def test_a_late_mark_without_a_time_costs_what_the_policy_says(
    late_unknown: int, counted: int | None, lost: float
) -> None:
    policy = LatePolicy(percent_per_day=10, late_unknown=late_unknown)
    outcome = result(late_mark=True)
    late = lateness(policy, outcome)
    assert (late.days, late.marked) == (counted, True)
    lines = score_lines(rules(rubric=Rubric(late=policy)), outcome, ScoreInputs({}, {}, lateness=late))
    (line,) = (each for each in lines if each.kind == "late")
    assert line.points == pytest.approx(-lost)
    assert line.reason.startswith("late, says the learning platform, by how much is not known")


def test_a_late_mark_is_no_word_about_an_extended_due_date() -> None:
    late = lateness(LatePolicy(due=DUE, late_unknown=2), result(late_mark=True), ON_TIME + timedelta(days=3))
    assert (late.days, late.marked) == (None, True)
    assert "nor whether it was in time for 2026-02-03 23:58 UTC+08:00" in str(late.reason)


def test_a_known_time_goes_before_the_mark() -> None:
    assert lateness(LatePolicy(due=DUE), result(late_mark=True, submitted_at=ON_TIME)).marked is False


def test_what_no_platform_marks_and_nobody_timed_is_said_and_costs_nothing() -> None:
    policy = LatePolicy(due=DUE, percent_per_day=10, late_unknown=3)
    silent, marks_others = lateness(policy, result()), lateness(policy, result(late_mark=False))
    assert (silent.days, silent.reason) == (None, "when it was handed in is not known: --times says it")
    assert (marks_others.days, marks_others.reason) == (None, None)
