"""When hand-ins came and were due, from a table: the instructor's word goes before all others, and mistakes are listed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from result_fakes import ENVIRONMENT, INFO, MEASURES, assignment, attempt, result

from harness.board.record import BoardRequest, class_record
from harness.board.times import HandInTimes, read_times
from harness.board.visibility import for_class
from harness.errors import TableError, UsageError
from harness.store.store import Store
from harness.values.board import Entry
from harness.values.late_policy import LatePolicy
from harness.values.rules import Rubric

NOON = datetime(2026, 2, 1, 4, tzinfo=UTC)
"""In Taipei."""
TAIPEI = LatePolicy(timezone="Asia/Taipei", due="2026-02-01T12:00:00", percent_per_day=10)
TEAM = {"1": "red", "2": "red", "red": "red", "3": "3"}


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "times.csv"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store.open(f"sqlite:///{tmp_path / 'harness.db'}")) as opened:
        yield opened


def entry_of(store: Store, policy: LatePolicy = TAIPEI, submission: str = "alice", **wanted: Any) -> Entry:
    found = class_record(store, assignment(rubric=Rubric(late=policy)), BoardRequest(**wanted)).board.entry(submission)
    assert found is not None
    return found


def test_times_are_read_by_the_clocks_of_the_assignment_unless_they_have_an_offset(tmp_path: Path) -> None:
    text = "Student ID;Submitted;Extension;Name\nalice;2026-02-01 12:00;;A\nbob;2026-02-01T04:00Z;2026-02-03T12:00+08:00;B\n"
    times = read_times(written(tmp_path, text), TAIPEI, {"alice", "bob"}, {})
    assert times.submitted == {"alice": NOON, "bob": NOON}
    assert times.due == {"bob": NOON + timedelta(days=2)}


def test_a_due_date_is_the_whole_teams_and_a_time_is_unless_it_names_a_submission(tmp_path: Path) -> None:
    text = "id,submitted,due\n1,2026-02-01 12:00,\n2,2026-02-02 12:00,2026-02-09 12:00\n"
    both = read_times(written(tmp_path, text), TAIPEI, {"1", "2"}, TEAM)
    assert (both.submitted["1"], both.submitted["2"]) == (NOON, NOON + timedelta(days=1))
    assert both.due_of("1") == both.due_of("red") == NOON + timedelta(days=8)
    with pytest.raises(TableError, match=r"line 3, submitted: .* for someone of the same team"):
        read_times(written(tmp_path, text), TAIPEI, {"red"}, TEAM)
    one = read_times(written(tmp_path, "id,submitted\n2,2026-02-01 12:00\n"), TAIPEI, {"red"}, TEAM)
    applied = one.applied(attempt(result("red"))).result
    assert (applied.submitted_at, applied.time_source) == (NOON, "times")


def test_every_mistake_is_listed_with_its_place(tmp_path: Path) -> None:
    text = (
        "id,submitted,due,dew\nalise,2026-02-01,tomorrow,\n1,2026-02-01 12:00,2026-02-01 12:00,\n2,,2026-02-02 12:00,\n"
    )
    with pytest.raises(TableError) as raised:
        read_times(written(tmp_path, text), TAIPEI, {"alice"}, TEAM)
    assert [(each.where, each.what.split(" (")[0]) for each in raised.value.problems] == [
        ("line 1", "unknown column 'dew'; did you mean 'due'?"),
        ("line 2", "no submission 'alise'; did you mean 'alice'?"),
        ("line 2, submitted", "needs the time of day too, such as 2026-01-31T23:59:00+08:00"),
        ("line 2, due", "needs a date and time such as 2026-01-31T23:59:00+08:00"),
        (
            "line 4, due",
            "2026-02-02 12:00 UTC+08:00, but 2026-02-01 12:00 UTC+08:00 for someone of the same team",
        ),
    ]
    with pytest.raises(TableError, match="line 2, submitted: needs a time zone"):
        read_times(written(tmp_path, "id,submitted\nalice,2026-02-01 12:00\n"), None, {"alice"}, {})
    with pytest.raises(TableError, match="no column submitted or due"):
        read_times(written(tmp_path, "id\nalice\n"), TAIPEI, {"alice"}, {})
    with pytest.raises(UsageError, match="cannot be read"):
        read_times(tmp_path / "absent.csv", TAIPEI, (), {})


def test_without_a_table_nothing_changes() -> None:
    one = attempt(result())
    assert (HandInTimes().applied(one), HandInTimes().due_of("alice")) == (one, None)


def test_the_table_goes_before_what_was_kept_when_it_was_graded(store: Store, tmp_path: Path) -> None:
    store.add(INFO, ENVIRONMENT, result(submitted_at=NOON + timedelta(days=3), time_source="files"))
    assert (entry_of(store).late_days, entry_of(store).score) == (3, pytest.approx(3 * 0.7))
    in_time = entry_of(store, times=written(tmp_path, "id,submitted\nalice,2026-02-01 12:00\n"))
    assert (in_time.late_days, in_time.score, in_time.submitted_at) == (0, 3, NOON)
    extended = entry_of(store, times=written(tmp_path, "id,due\nalice,2026-02-03 12:00\n"))
    assert (extended.late_days, extended.score) == (1, pytest.approx(3 * 0.9))


def test_of_a_teams_hand_ins_the_last_by_the_table_counts(store: Store, tmp_path: Path) -> None:
    store.add(INFO, ENVIRONMENT, result("1", submitted_at=NOON))
    store.add(INFO, ENVIRONMENT, result("2", submitted_at=NOON + timedelta(hours=1)))
    roster = tmp_path / "roster.csv"
    roster.write_text("id,team\n1,red\n2,red\n", encoding="utf-8")
    times = written(tmp_path, "id,submitted\n1,2026-02-01 14:00\n")
    assert entry_of(store, submission="2", roster=roster)
    assert entry_of(store, submission="1", roster=roster, times=times)


def test_what_is_late_by_an_unknown_amount_is_marked_for_the_instructor_alone(store: Store, tmp_path: Path) -> None:
    store.add(INFO, ENVIRONMENT, result(late_mark=True))
    late = assignment(rubric=Rubric(late=TAIPEI))
    board = class_record(store, late, BoardRequest()).board
    assert (board.standings[0].late_unknown, board.standings[0].late_days, board.standings[0].score) == (True, None, 3)
    assert not for_class(board, MEASURES).standings[0].late_unknown
    policy = TAIPEI.model_copy(update={"late_unknown": 1})
    assert (entry_of(store, policy).late_days, entry_of(store, policy).score) == (1, pytest.approx(2.7))
    known = entry_of(store, policy, times=written(tmp_path, "id,submitted\nalice,2026-02-01 11:00\n"))
    assert (known.late_unknown, known.late_days, known.score) == (False, 0, 3)
