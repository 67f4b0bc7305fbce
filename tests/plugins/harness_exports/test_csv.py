"""The instructor's CSV: everyone once, points that add up, names that stay text."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from harness_exports import csv as harness_csv_export
from result_fakes import assignment, attempts, result

from harness.board.builder import BoardInputs, standings
from harness.board.roster import Roster
from harness.errors import UsageError
from harness.plugins import Plugins
from harness.values.board import Board, Person
from harness.values.decisions import Override
from harness.values.late_policy import LatePolicy
from harness.values.rules import ManualPoints, PointRule, RankPoints, Rubric

EXPORT = Plugins.of(harness_csv_export).exporters["csv"]
RULES = Rubric(
    gates=("parameter_limit",),
    points=(PointRule(name="simple", baseline="simple", points=3), PointRule(name="loss", check="kd_loss", points=2)),
    rank=(RankPoints(name="private rank", points=10),),
    manual=(ManualPoints(name="report", points=20),),
    late=LatePolicy(due="2026-01-31T23:59:00+08:00", percent_per_day=10),
)
NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)


def rows_of(board: Board) -> list[dict[str, str]]:
    (text,) = EXPORT.export(board, None).values()
    assert "\x1b" not in text
    return list(csv.DictReader(io.StringIO(text)))


def board_of(facts: BoardInputs) -> Board:
    outcomes = (
        result("001", 0.9, nickname="=HYPERLINK(1)", submitted_at=NOW),
        result("2", 0.8, nickname="\u202e@SUM\x1b[2J", members=("+1", "＝cmd")),
        result("3", status="crashed", reason="-1+1 boom", points=(), score=0),
    )
    return standings(attempts(*outcomes), assignment(rubric=RULES), facts)


def test_everyone_has_a_line_and_every_point_a_column() -> None:
    people = (
        Person(id="001", name="王小明", email="w@example.org"),
        Person(id="2", name="Bob", team="red"),
        Person(id="4", name="=Carol()", team="red"),
        Person(id="5", name="Dan"),
    )
    given = {"001": {"report": 15.0}, "red": {"report": 8.0}}
    override = {"3": Override(at=NOW, author="Dr. Li", reason="=1", score=4)}
    rows = rows_of(board_of(BoardInputs(roster=Roster(people), manual_points=given, overrides=override)))
    assert [(row["id"], row["name"], row["status"], row["rank"]) for row in rows] == [
        ("001", "王小明", "graded", "1"),
        ("2", "Bob", "graded", "2"),
        ("4", "'=Carol()", "graded", "2"),
        ("3", "", "crashed", ""),
        ("5", "Dan", "missing", ""),
    ]
    first = rows[0]
    parts = [float(first[name]) for name in first if name.startswith("points: ") and first[name]]
    # Three automatic points, ten for the first rank, fifteen by hand, less 10 % for the first day.
    assert parts == pytest.approx([3, 0, 10, 15, -2.8])
    assert float(first["score"]) == pytest.approx(25.2)
    assert (first["late_days"], first["max_score"]) == ("1", "35.0")
    assert float(rows[1]["score"]) == float(rows[2]["score"]) == 11
    assert (rows[3]["score"], rows[3]["score_before"], rows[3]["override_by"]) == ("4.0", "0.0", "Dr. Li")
    assert "private rank 10: rank 1 of 2 by accuracy" in first["explanation"]


def test_nothing_in_it_is_a_formula() -> None:
    rows = rows_of(board_of(BoardInputs()))
    assert [row["nickname"] for row in rows] == ["'=HYPERLINK(1)", "'@SUM", "3"]
    assert rows[1]["members"] == "'+1; ＝cmd"
    assert rows[2]["reason"] == "'-1+1 boom"
    numbers = {name for name in rows[0] if name.startswith("points: ")} | {"score"}
    texts = [cell for row in rows for name, cell in row.items() if name not in numbers]
    assert not [cell for cell in texts if cell[:1] in set("=+-@\t\r＝＋－＠")]


def test_the_reasons_are_whole() -> None:
    long = "because " * 200
    outcome = result(points=[{"name": "simple", "points": 1, "max_points": 1, "reason": long}])
    (row,) = rows_of(standings(attempts(outcome), assignment()))
    assert long.strip() in row["explanation"]


def test_no_template_is_filled_in() -> None:
    with pytest.raises(UsageError, match="fills in no template"):
        EXPORT.export(board_of(BoardInputs()), Path("x.csv"))
