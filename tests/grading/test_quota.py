"""So many attempts a day: counted from the store by the clocks of the assignment, and the next one told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cli_fakes import FakeDataSets, FakeGrading, FakeSandbox
from result_fakes import ENVIRONMENT, INFO, assignment, attempt, result

from harness.grading.quota import LimitedRun, next_day, used_on
from harness.plugins import Plugins
from harness.store.store import Store
from harness.submission.hand_in import HandIn
from harness.values.late_policy import LatePolicy
from harness.values.results import Attempt
from harness.values.rules import Rubric

NOW = datetime(2026, 2, 1, 20, tzinfo=UTC)
TAIPEI = ZoneInfo("Asia/Taipei")
TEAM = dict.fromkeys(("alice", "bob"), frozenset({"alice", "bob"}))


def run_of(store: Store, *names: str, per_day: int | None = 2, members: Any = None) -> LimitedRun:
    submission = {"entry_points": ["Net"], "input_sizes": [28], "attempts_per_day": per_day}
    rules = assignment(submission=submission, rubric=Rubric(late=LatePolicy(timezone="Pacific/Kiritimati")))
    images: Any = FakeDataSets(rules, "sha256:images")
    sandbox: Any = FakeSandbox("bwrap")
    hand_ins = [HandIn(name, Path(name)) for name in names]
    return LimitedRun(rules, Plugins.of(), sandbox, hand_ins, images, store, ENVIRONMENT, 1, members=members or {})


def graded(run: LimitedRun) -> list[str]:
    return [each.submission for each in run.grade()]


def test_further_attempts_of_a_day_are_held_and_files_that_were_graded_are_not(fake: FakeGrading, store: Store) -> None:
    for digest in ("1", "2"):
        fake.digests["alice"] = digest
        assert graded(run_of(store, "alice")) == ["alice"]
    again = run_of(store, "alice")
    assert (graded(again), again.unchanged, again.held) == ([], {"alice"}, {})
    fake.digests["alice"] = "3"
    third = run_of(store, "alice", "bob")
    assert graded(third) == ["bob"]
    # Midnight in Kiritimati, UTC+14, is 10:00 in UTC.
    assert third.held["alice"].hour == 10
    assert timedelta() < third.held["alice"] - datetime.now(UTC) <= timedelta(days=1)
    assert graded(run_of(store, "alice", per_day=None)) == ["alice"]


def test_a_team_shares_its_attempts(fake: FakeGrading, store: Store) -> None:
    run = run_of(store, "alice", "bob", "carol", per_day=1, members=TEAM)
    assert graded(run) == ["alice", "carol"]
    assert set(run.held) == {"bob"}


def test_what_was_rejected_or_our_own_failure_is_no_attempt(fake: FakeGrading, store: Store) -> None:
    for digest, status in enumerate(("rejected", "harness_error", "rejected")):
        store.add(INFO, ENVIRONMENT, result("alice", digest=str(digest), status=status, reason="."))
    store.add(INFO, ENVIRONMENT, result("alice", digest=None, status="rejected", reason="."))
    assert graded(run_of(store, "alice", per_day=1)) == ["alice"]


def at(moment: datetime, digest: str, number: int) -> Attempt:
    return attempt(result(digest=digest), number).model_copy(update={"graded_at": moment})


def test_days_are_those_of_the_assignments_clocks() -> None:
    # 20:00 UTC is 04:00 of the next day in Taipei: what was graded at 15:59 UTC belongs to the day before.
    attempts = [at(NOW.replace(hour=15, minute=59), "before", 1), at(NOW.replace(hour=16), "after", 2)]
    assert used_on(attempts, NOW, TAIPEI) == {"after"}
    assert used_on(attempts, NOW, ZoneInfo("UTC")) == {"before", "after"}
    assert next_day(NOW, TAIPEI) == datetime(2026, 2, 2, 16, tzinfo=UTC)


def test_grading_again_what_another_day_had_uses_nothing_up() -> None:
    attempts = [at(NOW - timedelta(days=2), "same", 1), at(NOW, "same", 2), at(NOW, "new", 3)]
    assert used_on(attempts, NOW, TAIPEI) == {"new"}


@pytest.mark.parametrize(
    ("zone", "now", "begins"),
    [
        ("America/New_York", "2026-03-08T05:00:00", "2026-03-09T04:00:00"),  # a day of 23 hours: UTC-5, then UTC-4
        ("America/New_York", "2026-11-01T04:00:00", "2026-11-02T05:00:00"),  # and one of 25
        ("Africa/Cairo", "2026-04-23T12:00:00", "2026-04-23T22:00:00"),  # midnight does not exist: 00:00 is 01:00
        ("America/Havana", "2026-10-31T12:00:00", "2026-11-01T04:00:00"),  # midnight comes twice: the first counts
    ],
)
def test_the_next_day_begins_with_its_first_moment(zone: str, now: str, begins: str) -> None:
    found = next_day(datetime.fromisoformat(now).replace(tzinfo=UTC), ZoneInfo(zone))
    assert found == datetime.fromisoformat(begins).replace(tzinfo=UTC)
