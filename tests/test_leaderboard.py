"""Ranks are fair, stable and honest about who has none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from result_fakes import INFO, assignment, attempt, attempts, result

from harness.api import Check
from harness.leaderboard import standings
from harness.results import STATUSES, DataInfo, Result


def test_exact_ties_share_a_rank_and_the_next_rank_counts_them() -> None:
    board = standings(
        attempts(result("d", 0.7), result("c", 0.8), result("b", 0.8), result("a", 0.9), result("e", 0.8, 999)),
        assignment(),
    )
    assert [(row.rank, row.submission) for row in board.standings] == [(1, "a"), (2, "e"), (3, "b"), (3, "c"), (5, "d")]


rows = st.lists(
    st.tuples(st.sampled_from([0.5, 0.6, 0.7]), st.integers(1, 3)),
    min_size=1,
    max_size=8,
).map(lambda values: [result(f"s{index}", *value) for index, value in enumerate(values)])


@given(rows, st.randoms(use_true_random=False))
def test_ranks_do_not_depend_on_the_order_of_rows(outcomes: list[Result], random: object) -> None:
    shuffled = list(outcomes)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    board = standings(attempts(*outcomes), assignment())
    assert standings(attempts(*shuffled), assignment()) == board
    better = {
        row.submission: sum(
            (other.metrics["accuracy"].value, -other.metrics["parameters"].value)
            > (row.metrics["accuracy"].value, -row.metrics["parameters"].value)
            for other in board.standings
        )
        for row in board.standings
    }
    assert {row.submission: row.rank - 1 for row in board.standings} == better


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "graded"])
def test_what_was_not_graded_is_listed_apart(status: str) -> None:
    board = standings(attempts(result("x", status=status, reason="because"), result("y")), assignment())
    assert [(row.submission, row.rank) for row in board.standings] == [("y", 1)]
    assert [(row.submission, row.status, row.reason) for row in board.unranked] == [("x", status, "because")]


def test_a_failed_gate_and_a_missing_metric_have_no_rank() -> None:
    over = result("over", checks=(Check.failed("parameter_limit", "too many"),))
    unclear = result("unclear", checks=(Check.could_not_check("parameter_limit", "for a human"),))
    board = standings(attempts(over, unclear, result("blind", None)), assignment())
    assert [row.submission for row in board.standings] == ["unclear"]
    assert board.standings[0].unchecked == ("parameter_limit",)
    assert {row.submission: row.reason for row in board.unranked} == {
        "over": "failed parameter_limit",
        "blind": "accuracy could not be measured",
    }


def test_results_of_other_rules_or_data_are_not_compared() -> None:
    old = attempt(result("old", 0.99), 7, INFO.model_copy(update={"digest": "sha256:two"}))
    board = standings([old, *attempts(result("new"))], assignment())
    assert [row.submission for row in board.standings] == ["new"]
    assert "grade it again" in board.unranked[0].reason


def test_stand_in_data_marks_every_row() -> None:
    data = {"test": {"id": "fake", "dataset": "idx", "path": "data", "stand_in": True}}
    info = INFO.model_copy(update={"data": DataInfo(id="fake", stand_in=True)})
    board = standings([attempt(result(), info=info)], assignment(data=data))
    assert board.stand_in
    assert board.standings[0].stand_in


def test_the_class_sees_nicknames_and_no_exception_texts() -> None:
    board = standings(
        attempts(
            result("0123456", nickname="Pruner"),
            result("a", nickname="Banana"),
            result("bob", status="crashed", reason="ValueError: label 7", nickname="Crash"),
            result("carol", status="graded", checks=(Check.failed("parameter_limit", "x"),)),
        ),
        assignment(),
    )
    public = board.for_class()
    assert "0123456" in board.model_dump_json()
    assert "0123456" not in public.model_dump_json()
    assert "label 7" not in public.model_dump_json()
    assert [(row.name, row.submission) for row in public.standings] == [("Pruner", None), ("Banana", None)]
    assert [(row.name, row.submission, row.reason) for row in public.unranked] == [
        ("Crash", None, "its code failed"),
        ("carol", "carol", "failed parameter_limit"),
    ]


def test_nobody_takes_the_name_of_another() -> None:
    board = standings(
        attempts(
            result("alice"), result("mallory", nickname="Alice"), result("x", nickname="N"), result("y", nickname="n")
        ),
        assignment(),
    )
    assert sorted(row.name for row in board.standings) == ["Alice (mallory)", "N (x)", "alice (alice)", "n (y)"]


def test_an_empty_class_has_an_empty_board() -> None:
    board = standings([], assignment())
    assert (board.standings, board.unranked) == ((), ())
