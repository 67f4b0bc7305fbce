"""Boards as Markdown, CSV and JSON, with the names students choose when they are bored."""

from __future__ import annotations

import csv
import io
import json

import harness_boards as harness_text_boards
import pytest
from result_fakes import MEASURES, VERIFIED, assignment, attempts, result, unverified

from harness.board.builder import Board, standings
from harness.board.visibility import for_class
from harness.plugins import Plugins
from harness.text import csv_cell

WRITERS = Plugins.of(harness_text_boards).writers


@pytest.fixture
def board() -> Board:
    outcomes = (
        result("alice", 0.9, nickname="<script>alert(1)</script>|x\n| forged | row |"),
        result("bob", 0.8, nickname="=cmd|' /C calc'!A0"),
        result("carol", 0.7, nickname="\t=1+1"),
        result("dave", 0.6, nickname="\x1b[2Jgone"),
        result("erin", status="crashed", reason="@SUM(1) | \x1b[31mred\nline", printed="the printed secret"),
    )
    return standings(attempts(*outcomes), assignment())


def test_the_three_writers_are_there() -> None:
    assert sorted(WRITERS) == ["csv", "json", "markdown"]


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_nothing_printed_or_escaped_reaches_a_board(board: Board, name: str) -> None:
    (text,) = WRITERS[name].render(board).values()
    assert "\x1b" not in text
    assert "\\u001b" not in text
    assert "printed secret" not in text


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_an_empty_board_can_be_written(name: str) -> None:
    assert WRITERS[name].render(standings([], assignment()))


def test_markdown_rows_stay_rows(board: Board) -> None:
    (text,) = WRITERS["markdown"].render(board).values()
    assert "<script" not in text
    lines = [line for line in text.splitlines() if line.startswith("|")][2:8]
    assert [line.split("|")[1].strip() for line in lines] == ["", "1", "2", "", "3", "4"]
    assert ["95.00 %" in lines[0], "*strong*" in lines[0], "*simple*" in lines[3]] == [True, True, True]
    ranked = [line for line in lines if line.split("|")[1].strip()]
    assert "90.00 % (89.00–91.00 %)" in ranked[0]
    assert "1,000" in ranked[0]
    assert "4,000" in ranked[0]
    assert "kd\\_loss" in ranked[0]


def test_csv_keeps_numbers_and_disarms_formulas(board: Board) -> None:
    (text,) = WRITERS["csv"].render(board).values()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4", ""]
    assert rows[0]["accuracy"] == "0.9"
    assert rows[0]["accuracy_low"] == "0.89"
    assert rows[0]["parameters"] == "1000"
    assert rows[0]["parameters_low"] == ""
    assert rows[1]["name"].startswith("'=cmd")
    assert rows[2]["name"] == "'=1+1"
    assert rows[4]["status"] == "crashed"
    assert rows[4]["reason"].startswith("'@SUM(1)")
    assert all(None not in row for row in rows)
    assert not any(cell[:1] in set("=+-@\t\r") for row in rows for cell in row.values())


def test_negative_numbers_in_csv_stay_numbers() -> None:
    assert csv_cell(-1.5) == -1.5
    assert csv_cell("-1.5") == "'-1.5"


def test_json_is_the_board(board: Board) -> None:
    (text,) = WRITERS["json"].render(board).values()
    document = json.loads(text)
    assert [row["rank"] for row in document["standings"]] == [1, 2, 3, 4]
    assert document["standings"][1]["name"] == "=cmd|' /C calc'!A0"
    assert document["unranked"][0]["status"] == "crashed"


def test_stand_in_data_is_said(board: Board) -> None:
    info = board.assignment.model_copy(update={"data": board.assignment.data.model_copy(update={"stand_in": True})})
    (text,) = WRITERS["markdown"].render(board.model_copy(update={"assignment": info})).values()
    assert "stand-in" in text


@pytest.fixture
def marked() -> Board:
    outcomes = (
        result("alice", 0.9, network=VERIFIED),
        result("bob", 0.8, network=unverified(f"=HYPERLINK(1)\x1b[31m <b>|{'long ' * 150}end")),
        result("carol", 0.7),
    )
    return standings(attempts(*outcomes), assignment())


def test_markdown_marks_unverified_networks_and_tells_the_instructor_why(marked: Board) -> None:
    (text,) = WRITERS["markdown"].render(marked).values()
    rows = [line.split("|")[2:4] for line in text.partition("## Not verified")[0].splitlines() if line[:1] == "|"]
    assert {name.strip(): "○" in sign for name, sign in rows if name.strip() in {"alice", "bob", "carol"}} == {
        "alice": False,
        "bob": True,
        "carol": False,
    }
    assert "\n○ its code ran on every image: not verified\n" in text
    assert "&lt;b&gt;" in text.partition("## Not verified")[2]
    assert "long end" in text
    (shown,) = WRITERS["markdown"].render(for_class(marked, MEASURES)).values()
    assert "○ its code ran" in shown
    assert "HYPERLINK" not in shown
    assert "## Not verified" not in shown


def test_csv_has_a_column_of_what_is_verified(marked: Board) -> None:
    (text,) = WRITERS["csv"].render(marked).values()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["verified"] for row in rows] == ["yes", "no", ""]
    assert [row["unverified_because"][:12] for row in rows] == ["", "'=HYPERLINK(", ""]
    (text,) = WRITERS["csv"].render(for_class(marked, MEASURES)).values()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["verified"], row["unverified_because"]) for row in rows] == [("yes", ""), ("no", ""), ("", "")]


def test_json_has_a_key_of_what_is_verified(marked: Board) -> None:
    (text,) = WRITERS["json"].render(marked).values()
    rows = json.loads(text)["standings"]
    assert [row["verified"] for row in rows] == [True, False, None]
    assert rows[1]["unverified_because"].endswith("long end")
    assert "\\u001b" not in text
    (text,) = WRITERS["json"].render(for_class(marked, MEASURES)).values()
    assert [row["unverified_because"] for row in json.loads(text)["standings"]] == [None] * 3
