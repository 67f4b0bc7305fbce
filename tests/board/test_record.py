"""Boards from a store: which attempt counts, what is frozen, overridden, private, anonymous, a team's or missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from result_fakes import ENVIRONMENT, INFO, MEASURES, assignment, metric, result

from harness.api import Check
from harness.assignment.loading import Assignment
from harness.board.builder import standings
from harness.board.class_statistics import Bin, class_statistics
from harness.board.record import BoardRequest, class_record
from harness.board.visibility import for_class
from harness.errors import TableError, UsageError
from harness.store.store import Store
from harness.values.board import Board
from harness.values.decisions import BoardState, Event, Override, in_force, state_after
from harness.values.results import Result
from harness.values.rules import BoardRules, ManualPoints, PointRule, RankPoints, Rubric

NOW = datetime(2026, 2, 1, tzinfo=UTC)
SPLIT = {"test": {"id": "digits", "dataset": "idx", "path": "d", "public_fraction": 0.5}}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store.open(f"sqlite:///{tmp_path / 'harness.db'}")) as opened:
        yield opened


def keep(store: Store, *outcomes: Result) -> None:
    for each in outcomes:
        store.add(INFO, ENVIRONMENT, each)


def board_of(store: Store, rules: Assignment | None = None, **wanted: Any) -> Board:
    return class_record(store, rules or assignment(), BoardRequest(**wanted)).board


def override(**changes: Any) -> Override:
    return Override.model_validate({"at": NOW, "author": "Dr. Li", "reason": "seen in the demo", **changes})


def attempts_of(*accuracies: float) -> list[Result]:
    return [result("alice", each, digest=f"sha256:{each}") for each in accuracies]


def test_the_last_attempt_counts_or_the_one_that_ranks_best(store: Store) -> None:
    keep(store, *attempts_of(0.7, 0.9, 0.8), result("bob", 0.85))
    keep(store, result("alice", 0.99, digest="sha256:cheat", checks=(Check.failed("parameter_limit", "too many"),)))
    best = assignment(board=BoardRules(attempts="best"))
    assert [(row.name, row.metrics["accuracy"].value) for row in board_of(store, best).standings] == [
        ("alice", 0.9),
        ("bob", 0.85),
    ]
    last = board_of(store)
    assert [row.name for row in last.standings] == ["bob"]
    assert (last.unranked[0].name, last.unranked[0].attempts) == ("alice", 4)


def test_grading_the_same_files_again_replaces_the_earlier_grading(store: Store) -> None:
    lucky, again = result("alice", 0.9), result("alice", 0.8)
    keep(store, lucky, again)
    board = board_of(store, assignment(board=BoardRules(attempts="best")))
    assert [(row.metrics["accuracy"].value, row.attempts) for row in board.standings] == [(0.8, 1)]


def test_without_any_place_the_last_attempt_is_listed(store: Store) -> None:
    keep(store, *(result("alice", status="crashed", reason=each, digest=each) for each in ("first", "second")))
    assert board_of(store, assignment(board=BoardRules(attempts="best"))).unranked[0].reason == "second"


def test_a_frozen_board_ignores_later_attempts_until_it_is_thawed(store: Store) -> None:
    keep(store, *attempts_of(0.7))
    moment = datetime.now(UTC)
    store.decisions("hw").add_event(Event(at=moment, author="a", kind="frozen", moment=moment))
    keep(store, *attempts_of(0.9), result("late comer"))
    frozen = board_of(store)
    assert [(row.name, row.metrics["accuracy"].value, row.attempts) for row in frozen.standings] == [("alice", 0.7, 1)]
    assert frozen.frozen_at == moment
    assert for_class(frozen, MEASURES).frozen_at == moment
    live = board_of(store, live=True)
    assert (len(live.standings), live.frozen_at) == (2, None)
    store.decisions("hw").add_event(Event(at=moment, author="a", kind="thawed"))
    assert board_of(store) == live


def test_the_newest_event_of_a_kind_holds() -> None:
    def event(kind: str, moment: datetime | None = None) -> Event:
        return Event.model_validate({"at": NOW, "author": "a", "kind": kind, "moment": moment})

    later = NOW + timedelta(days=1)
    events = [event("frozen", NOW), event("published"), event("frozen", later)]
    assert state_after(events) == BoardState(frozen_at=later, published=True)
    assert state_after([*events, event("thawed"), event("withdrawn")]) == BoardState()


def test_an_overridden_score_keeps_the_old_one_for_the_instructor_only(store: Store) -> None:
    keep(store, result("alice"))
    store.decisions("hw").add("alice", override(score=5))
    board = board_of(store)
    (row,) = board.standings
    assert (row.score, row.max_score) == (5, 5)
    assert row.override is not None
    assert (row.override.author, row.override.old_score, row.override.old_status) == ("Dr. Li", 3, "graded")
    (public,) = for_class(board, MEASURES).standings
    assert (public.score, public.override) == (3, None)
    assert "Dr. Li" not in for_class(board, MEASURES).model_dump_json()


def test_an_overridden_status_moves_a_submission_off_the_board_and_back(store: Store) -> None:
    keep(store, result("alice"), result("bob"))
    store.decisions("hw").add("alice", override(status="rejected", reason="copied from bob"))
    board = board_of(store)
    assert [row.name for row in board.standings] == ["bob"]
    (out,) = board.unranked
    assert (out.status, out.score) == ("rejected", 0)
    assert out.reason == "Dr. Li set the status to rejected: copied from bob"
    assert out.override is not None
    assert (out.override.old_status, out.override.old_score) == ("graded", 3)
    assert "copied" not in for_class(board, MEASURES).model_dump_json()
    store.decisions("hw").add("alice", override(reason="it was the other way round"))
    assert [row.name for row in board_of(store).standings] == ["alice", "bob"]
    assert len(store.decisions("hw").overrides()) == 2


def test_a_status_set_to_graded_brings_the_points_that_were_measured(store: Store) -> None:
    keep(store, result("alice", status="timed_out", reason="slow", points=(), score=0))
    store.decisions("hw").add("alice", override(status="graded"))
    (row,) = board_of(store).standings
    assert (row.rank, row.status, row.score) == (1, "graded", 3)


def test_only_the_newest_override_is_in_force() -> None:
    first, second, undone = override(score=1), override(score=2), override()
    assert in_force([("a", first), ("b", first), ("a", second)]) == {"a": second, "b": first}
    assert in_force([("a", first), ("b", first), ("a", undone)]) == {"b": first}


def test_private_ranks_appear_when_asked_for_or_published(store: Store) -> None:
    for name, public, private in (("alice", 0.9, 0.6), ("bob", 0.8, 0.7)):
        figures = {"accuracy": metric(0.75), "accuracy_public": metric(public), "accuracy_private": metric(private)}
        keep(store, result(name, metrics={**figures, "parameters": metric(9, unit="parameters")}))
    rubric = Rubric(
        points=(PointRule(name="simple", metric="accuracy_public", baseline="simple", points=3),),
        rank=(RankPoints(name="private rank", metric="accuracy_private", points=10),),
    )
    rules = assignment(data=SPLIT, rubric=rubric)
    public = board_of(store, rules)
    assert [row.name for row in public.standings] == ["alice", "bob"]
    shown = for_class(public, MEASURES).model_dump_json()
    assert not any(secret in shown for secret in ("0.75", "0.6", "0.7,", "accuracy_private", "private rank"))
    assert (for_class(public, MEASURES).standings[0].score, for_class(public, MEASURES).standings[0].max_score) == (
        3,
        3,
    )
    private = board_of(store, rules, private=True)
    assert [(row.name, row.rank, row.public_rank) for row in private.standings] == [("bob", 1, 2), ("alice", 2, 1)]
    assert for_class(private, MEASURES).standings[0].score == 3 + 10
    assert set(public.standings[0].metrics) == {"accuracy", "accuracy_public", "accuracy_private", "parameters"}
    assert set(for_class(private, MEASURES).standings[0].metrics) == {
        "accuracy_public",
        "accuracy_private",
        "parameters",
    }
    state = Event(at=NOW, author="a", kind="published")
    store.decisions("hw").add_event(state)
    assert board_of(store, rules) == private
    with pytest.raises(UsageError, match="does not split its images"):
        board_of(store, assignment(), private=True)


def test_pseudonyms_are_stable_secret_and_nobody_s_nickname(store: Store, tmp_path: Path) -> None:
    keep(
        store,
        result("alice", 0.9, nickname="It's me, Alice", members=("Alice",)),
        result("bob", status="crashed", reason="x"),
    )
    rules = assignment(board=BoardRules(names="anonymous"))
    board = board_of(store, rules)
    public = for_class(board, MEASURES)
    assert (board.standings[0].submission, board.standings[0].members) == ("alice", ("Alice",))
    assert not any(name in public.model_dump_json() for name in ("alice", "Alice", "bob"))
    names = [board.standings[0].name, board.unranked[0].name]
    keep(store, result("carol", 0.95))
    again = board_of(store, anonymous=True)
    assert [row.name for row in (*again.standings[1:], *again.unranked)] == names
    with closing(Store.open(f"sqlite:///{tmp_path / 'another.db'}")) as other:
        keep(other, result("alice", 0.9))
        assert board_of(other, rules).standings[0].name != names[0]


def test_a_team_has_one_row_and_the_roster_names_the_missing(store: Store, tmp_path: Path) -> None:
    hour = timedelta(hours=1)
    keep(store, result("1", 0.7, submitted_at=NOW + hour), result("2", 0.9, submitted_at=NOW), result("5", 0.8))
    roster = tmp_path / "roster.csv"
    roster.write_text("id,name,team\n1,王小明,red\n2,Bob,red\n3,Carol,\n4,Dan,blue\n", encoding="utf-8")
    board = board_of(store, roster=roster)
    # The team's last hand-in is the one that was handed in last, whoever was graded last.
    assert [(row.submission, row.attempts, [each.name for each in row.people]) for row in board.standings] == [
        ("5", 1, []),
        ("1", 2, ["王小明", "Bob"]),
    ]
    assert "王小明" not in for_class(board, MEASURES).model_dump_json()
    assert [person.name for person in board.missing] == ["Carol", "Dan"]
    assert for_class(board, MEASURES).missing == ()


def test_manual_points_are_added_and_never_shown_to_the_class(store: Store, tmp_path: Path) -> None:
    keep(store, result("alice"))
    manual = tmp_path / "points.csv"
    manual.write_text("submission,report\nalice,17\n", encoding="utf-8")
    rules = assignment(rubric=Rubric(manual=(ManualPoints(name="report", points=20),)))
    board = board_of(store, rules, manual=manual)
    assert (board.standings[0].score, board.standings[0].max_score) == (3 + 17, 5 + 20)
    assert (for_class(board, MEASURES).standings[0].score, for_class(board, MEASURES).standings[0].max_score) == (3, 5)
    manual.write_text("submission,report\nalcie,17\n", encoding="utf-8")
    with pytest.raises(TableError, match="did you mean 'alice'"):
        board_of(store, rules, manual=manual)


def test_evidence_is_not_on_the_class_s_board(store: Store) -> None:
    checks = (Check.failed("integrity_scrub", "hidden weights"), Check.could_not_check("integrity_noise", "?"))
    keep(store, result("alice", checks=checks))
    board = board_of(store)
    assert (board.standings[0].failed_checks, board.standings[0].unchecked) == (
        ("integrity_scrub",),
        ("integrity_noise",),
    )
    assert "integrity" not in for_class(board, MEASURES).model_dump_json()


def test_statistics_add_up(store: Store) -> None:
    keep(
        store,
        *(
            result(str(number), points=[{"name": "p", "points": number, "max_points": 10, "reason": "."}])
            for number in range(11)
        ),
    )
    keep(store, result("x", status="crashed", reason="bug", points=(), checks=()))
    found = class_statistics(board_of(store))
    assert (found.submissions, found.ranked, found.statuses) == (12, 11, (("graded", 11), ("crashed", 1)))
    assert found.mean == pytest.approx(55 / 12)
    assert found.quartiles == pytest.approx((1.75, 4.5, 7.25))
    assert [each.count for each in found.histogram] == [2, 1, 1, 1, 1, 1, 1, 1, 1, 2]
    assert found.histogram[-1] == Bin(low=9, high=10, count=2)
    assert found.failed_checks == (("kd_loss", 11),)
    assert (found.late, found.missing, found.max_score) == (0, 0, 10)


def test_statistics_of_nobody() -> None:
    found = class_statistics(standings([], assignment()))
    assert (found.submissions, found.mean, found.quartiles, found.histogram) == (0, None, None, ())
