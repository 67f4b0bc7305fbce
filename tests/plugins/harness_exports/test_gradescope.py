"""The autograder for Gradescope: run as Gradescope runs it, it hands everyone their own points and nobody else's."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from harness_exports import gradescope as harness_gradescope_export
from result_fakes import assignment, attempts, metric, result

from harness.board.builder import BoardInputs, standings
from harness.board.roster import Roster
from harness.errors import UsageError
from harness.plugins import Plugins
from harness.values.board import Board, Person
from harness.values.decisions import Override
from harness.values.rules import ManualPoints, PointRule, Rubric

EXPORT = Plugins.of(harness_gradescope_export).exporters["gradescope"]
ROSTER = Roster((
    Person(id="001", name="W", email="Wang@Example.org", team="red"),
    Person(id="002", name="B", email="bob@example.org", team="red"),
))  # fmt: skip
OVERRIDE = Override(at=datetime(2026, 2, 1, tzinfo=UTC), author="Dr. Li", reason="copied?", score=1)


def class_of_three() -> Board:
    outcomes = (
        result("001", 0.9, nickname="<script>\x1b[2J"),
        result("submission_77", 0.8),
        result("carol@example.org", status="crashed", reason="ValueError: label 7", points=(), score=0),
    )
    facts = BoardInputs(roster=ROSTER, overrides={"submission_77": OVERRIDE})
    return standings(attempts(*outcomes), assignment(), facts)


def handed_out(board: Board, tmp_path: Path, metadata: dict[str, Any]) -> dict[str, Any]:
    """What the autograder writes in a folder that looks like Gradescope's."""
    (tmp_path / "source").mkdir()
    for name, text in EXPORT.export(board, None).items():
        (tmp_path / "source" / name).write_text(text, encoding="utf-8")
    (tmp_path / "submission_metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
    command = [sys.executable, "-I", tmp_path / "source" / "run_autograder", tmp_path]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    found: dict[str, Any] = json.loads((tmp_path / "results" / "results.json").read_text(encoding="utf-8"))
    return found


def test_a_team_gets_its_points_by_any_address(tmp_path: Path) -> None:
    found = handed_out(
        class_of_three(), tmp_path, {"id": 5, "users": [{"email": "x@y"}, {"email": "wang@example.ORG"}]}
    )
    assert found["score"] == 3
    assert [(each["name"], each["score"], each["max_score"]) for each in found["tests"]] == [
        ("simple", 3, 3),
        ("loss", 0, 2),
    ]
    assert found["leaderboard"] == [
        {"name": "accuracy", "value": 0.9, "order": "desc"},
        {"name": "parameters", "value": 1000, "order": "asc"},
    ]
    assert found["output"] == "rank 1"
    assert "hidden" not in {each.get("visibility") for each in found["tests"]}


def test_a_submission_is_found_by_its_id_and_an_override_keeps_its_reason(tmp_path: Path) -> None:
    found = handed_out(class_of_three(), tmp_path, {"id": 77, "users": []})
    assert found["score"] == 1
    text = json.dumps(found)
    assert "copied" not in text
    assert "Dr. Li" not in text


def test_what_failed_says_so_without_its_message(tmp_path: Path) -> None:
    found = handed_out(class_of_three(), tmp_path, {"id": 5, "users": [{"email": "carol@example.org"}]})
    assert (found["score"], found["output"], found["leaderboard"]) == (0, "no rank: crashed", [])


def test_who_was_not_graded_fails_and_gets_no_zero(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        handed_out(class_of_three(), tmp_path, {"id": 5, "users": [{"email": "zoe@example.org"}]})
    assert "has not been graded yet" in caught.value.stderr
    assert not (tmp_path / "results").exists()


def test_private_points_are_not_handed_out_before_they_are_published() -> None:
    data = {"test": {"id": "digits", "dataset": "idx", "path": "d", "public_fraction": 0.5}}
    rubric = Rubric(
        points=(
            PointRule(name="simple", metric="accuracy_public", baseline="simple", points=3),
            PointRule(name="loss", metric="accuracy_private", baseline="simple", points=2),
        ),
        manual=(ManualPoints(name="report", points=20),),
    )
    figures = {"accuracy_public": metric(0.9), "accuracy_private": metric(0.9111), "parameters": metric(9)}
    outcome = result("submission_1", metrics=figures)
    board = standings(attempts(outcome), assignment(data=data, rubric=rubric))
    text = EXPORT.export(board, None)["points.json"]
    assert "0.9111" not in text
    found = json.loads(text)["submission_1"]
    assert [each["name"] for each in found["tests"]] == ["simple", "report"]
    assert found["output"].endswith("not included yet.")


def test_people_without_an_address_are_named() -> None:
    with pytest.raises(UsageError, match=r"missing for 1: 003; name a --roster with a column email"):
        EXPORT.export(standings(attempts(result("003")), assignment()), None)


def test_nothing_of_theirs_moves_a_cursor() -> None:
    for text in EXPORT.export(class_of_three(), None).values():
        assert "\x1b" not in text
        assert "\\u001b" not in text
