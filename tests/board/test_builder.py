"""Ranks are fair, stable and honest about who has none."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from result_fakes import (
    INFO,
    MEASURES,
    VERIFIED,
    assignment,
    attempt,
    attempts,
    count,
    metric,
    result,
    submission_rules,
    unverified,
)

from harness.api import Check, Correct
from harness.board.builder import BoardInputs, standings
from harness.board.visibility import for_class
from harness.values.board import Standing, symbols, used_symbols
from harness.values.results import Attempt, DataInfo, Result
from harness.values.rules import RankKey
from harness.vocabulary import STATUSES


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
    public = for_class(board, MEASURES)
    assert "0123456" in board.model_dump_json()
    assert "0123456" not in public.model_dump_json()
    assert "label 7" not in public.model_dump_json()
    assert [(row.name, row.submission) for row in public.standings] == [("Pruner", None), ("Banana", None)]
    assert [(row.name, row.submission, row.reason) for row in public.unranked] == [
        ("Crash", None, "its code failed"),
        ("carol", "carol", "failed parameter_limit"),
    ]


def test_nobody_takes_the_name_of_another_or_unmasks_them() -> None:
    board = standings(
        attempts(
            result("alice"),
            result("mallory", nickname="Alice"),
            result("x", nickname="N"),
            result("y", nickname="n"),
            result("z", nickname="n (1)"),
            result("hidden", nickname="Nick"),
            result("spy", nickname="hidden"),
        ),
        assignment(),
    )
    assert {row.submission: row.name for row in board.standings} == {
        "alice": "alice",
        "mallory": "Alice (1)",
        "x": "N (2)",
        "y": "n (3)",
        "z": "n (1)",
        "hidden": "Nick",
        "spy": "hidden (1)",
    }
    assert {row.submission for row in for_class(board, MEASURES).standings} == {"alice", None}


ids = st.text(st.sampled_from("aAbß (1)\u202e王"), min_size=1, max_size=4)


@given(st.dictionaries(ids, st.none() | ids, max_size=8))
def test_names_are_unique_whatever_they_are(chosen: dict[str, str | None]) -> None:
    rows = [result(submission, nickname=nickname) for submission, nickname in chosen.items()]
    names = [row.name for row in standings(attempts(*rows), assignment()).standings]
    assert len({name.casefold() for name in names}) == len(names)


def bits(right: str) -> Correct:
    return Correct(public=np.packbits([int(each) for each in right]).tobytes())


def test_rows_are_tested_against_the_leader_and_adjusted_for_their_number() -> None:
    # Against the leader: 10 only it has right and none the other, p = 2/1024; 2 and 1, p = 1; nothing known.
    rows = (
        result("leader", 0.95, correct=bits("1" * 11 + "1" * 9)),
        result("far", 0.5, correct=bits("0" * 10 + "1" * 10)),
        result("near", 0.9, correct=bits("1" * 18 + "00")),
        result("unknown", 0.8),
        result("other images", 0.7, correct=bits("1" * 8)),
    )
    found = {row.name: row for row in standings(attempts(*rows), assignment()).standings}
    assert found["far"].p_value == pytest.approx(2 * 2 / 1024)
    assert found["near"].p_value == pytest.approx(0.5)
    assert [found[name].distinguishable for name in ("leader", "far", "near", "unknown", "other images")] == [
        None, True, False, None, None,
    ]  # fmt: skip


def test_a_split_ranks_by_the_public_images_unless_asked_for_the_private_ones() -> None:
    data = {"test": {"id": "digits", "dataset": "idx", "path": "d", "public_fraction": 0.5}}

    def both(name: str, public: float, private: float, right: str) -> Result:
        figures = {"accuracy_public": metric(public), "accuracy_private": metric(private), "accuracy": metric(0.5)}
        packed = Correct(public=bits(right).public, private=bits("1" * 20).public)
        return result(name, metrics={**figures, "parameters": count(10)}, correct=packed)

    rows = attempts(both("a", 0.9, 0.6, "1" * 20), both("b", 0.8, 0.7, "0" * 20))
    public = standings(rows, assignment(data=data))
    assert (public.figures, public.private, [row.name for row in public.standings]) == ("public", False, ["a", "b"])
    assert [key.metric for key in public.ranking] == ["accuracy_public", "parameters"]
    assert set(for_class(public, MEASURES).standings[0].metrics) == {"accuracy_public", "parameters"}
    assert public.standings[1].distinguishable is True
    assert [line.reached_by for line in public.baselines] == [0, 2]
    private = standings(rows, assignment(data=data), BoardInputs(figures="private"))
    assert (private.private, [row.name for row in private.standings]) == (True, ["b", "a"])
    assert private.standings[1].distinguishable is False


def test_baselines_stand_between_the_rows() -> None:
    board = standings(attempts(result("a", 0.96), result("b", 0.95), result("c", 0.81)), assignment())
    assert [(line.name, line.accuracy, line.reached_by) for line in board.baselines] == [
        ("strong", 0.95, 2),
        ("simple", 0.8, 3),
    ]
    assert [line.name for line in board.lines()] == ["a", "b", "strong", "c", "simple"]
    by_size = assignment(ranking=(RankKey(metric="parameters", higher_is_better=False),))
    board = standings(attempts(result("a")), by_size)
    assert [line.reached_by for line in board.baselines] == [None, None]
    assert [line.name for line in board.lines()] == ["a"]


def test_the_front_marks_what_is_neither_larger_nor_worse() -> None:
    rows = attempts(result("big", 0.9, 1000), result("small", 0.8, 10), result("worse", 0.8, 11), result("blind", None))
    board = standings(rows, assignment(ranking=(RankKey(metric="parameters", higher_is_better=False),)))
    assert board.pareto is not None
    assert (board.pareto.x, board.pareto.y) == ("parameters", "accuracy")
    assert {row.name: row.pareto for row in board.standings} == {
        "big": True,
        "small": True,
        "worse": False,
        "blind": None,
    }


def test_ties_attempts_and_members_stand_in_the_row() -> None:
    rows = attempts(result("a", members=("Ann", "王")), result("b"), result("c", 0.1))
    board = standings(rows, assignment(), BoardInputs(counts={"a": 4}))
    assert [(row.tie, row.attempts) for row in board.standings] == [(True, 4), (True, 1), (False, 1)]
    assert board.standings[0].members == ("Ann", "王")
    assert for_class(board, MEASURES).standings[0].members == ()


def test_a_field_of_rows_is_the_instructor_s_until_the_class_is_shown_it() -> None:
    class Noted(Standing):
        note: str = ""

    board = standings(attempts(result("a", members=("Ann",))), assignment())
    noted = Noted(**{**dict(board.standings[0]), "note": "talk to her", "submitted_at": datetime.now(UTC)})
    (shown,) = for_class(board.model_copy(update={"standings": (noted,)}), MEASURES).standings
    assert (shown.name, shown.rank) == ("a", 1)
    assert not {"note", "submitted_at", "members"} & shown.model_dump(exclude_defaults=True).keys()


def test_results_on_other_images_than_the_newest_are_not_compared() -> None:
    def on(name: str, number: int, digest: str | None) -> Attempt:
        data = DataInfo(id="digits", digest=digest, stand_in=False)
        return attempt(result(name), number, INFO.model_copy(update={"data": data}))

    board = standings([on("a", 1, "sha256:x"), on("b", 2, "sha256:y"), on("c", 3, None)], assignment())
    assert [row.name for row in board.standings] == ["b", "c"]
    assert board.unranked[0].reason == "graded on other images of digits than the newest results: grade it again"


def test_an_empty_class_has_an_empty_board() -> None:
    board = standings([], assignment())
    assert (board.standings, board.unranked) == ((), ())


NETWORKS = (
    result("seen", 0.9, network=VERIFIED),
    result("unseen", 0.8, network=unverified("it decides by values")),
    result("old", 0.7),
)


def test_only_networks_known_to_be_unverified_are_marked() -> None:
    board = standings(attempts(*NETWORKS), assignment())
    assert [(row.verified, row.unverified_because) for row in board.standings] == [
        (True, None),
        (False, "it decides by values"),
        (None, None),
    ]
    assert ["○" in symbols(row) for row in board.standings] == [False, True, False]
    assert used_symbols(board)["○"] == "its code ran on every image: not verified"
    assert "○" not in used_symbols(board.only({"seen", "old"}))


def test_the_class_sees_the_mark_and_not_the_reason() -> None:
    board = for_class(standings(attempts(*NETWORKS), assignment()), MEASURES)
    assert [row.verified for row in board.standings] == [True, False, None]
    assert "○" in used_symbols(board)
    assert "decides by values" not in board.model_dump_json()


def test_nothing_is_marked_where_the_assignment_accepts_unverified_networks() -> None:
    board = standings(attempts(*NETWORKS), assignment(submission=submission_rules("accept")))
    assert [row.verified for row in board.standings] == [None] * 3
    assert "○" not in used_symbols(board)
    assert "decides by values" not in board.model_dump_json()


def test_what_has_no_rank_has_no_mark() -> None:
    board = standings(attempts(result("x", status="crashed", reason="y", network=unverified())), assignment())
    assert board.standings == ()
    assert "nonzero" not in board.model_dump_json()


def test_a_board_of_two_devices_says_so() -> None:
    here, there = attempts(result("a", 0.9, network=VERIFIED), result("b", 0.8, network=VERIFIED))
    on_gpu = there.model_copy(update={"environment": there.environment.model_copy(update={"device": "cuda"})})
    unknown = attempt(result("c", 0.7, network=unverified()), 3)
    board = standings([here, on_gpu, unknown], assignment())
    devices = {row.submission: row.device for row in board.standings}
    assert devices == {"a": "cpu", "b": "cuda", "c": None}
    marked = {row.submission for row in board.standings if "□" in symbols(row)}
    assert (marked, "□" in used_symbols(board)) == ({"b"}, True)
    for alike in ([here], [on_gpu, unknown]):
        board = standings(alike, assignment())
        assert {row.device for row in board.standings} == {None}
        assert "□" not in used_symbols(board)
