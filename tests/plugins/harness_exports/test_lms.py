"""Canvas and Moodle get their own sheets back, with our scores and nothing else changed."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from harness_exports import lms as harness_lms_export
from harness_exports.sheets import number
from result_fakes import assignment, attempts, result

from harness.api import Check
from harness.board.builder import BoardInputs, standings
from harness.board.roster import Roster
from harness.errors import TableError, UsageError
from harness.plugins import Plugins
from harness.values.board import Board, Person

EXPORTERS = Plugins.of(harness_lms_export).exporters

GRADEBOOK = """\
Student,ID,SIS User ID,SIS Login ID,Section,Quiz (11),Homework (12),Final Score
    Points Possible,,,,,10,5,(read only)
"王, 小明",101,,wang@example.org,"A and B",9,,80
"O'Neil, Bob",102,,=bob,A,8,4,70
"Nobody, Else",103,,else,A,7,3,60
"Student, Test",,,t,A,,,
"""
WORKSHEET = """\
\ufeffIdentifier,"Full name","Email address",Status,Grade,"Maximum Grade","Grade can be changed","Last modified (grade)","Feedback comments"
"Participant 101",王小明,w@example.org,"Submitted for grading",,5.00,Yes,-,"<p>old, text</p>"
"Participant 102","Bob O'Neil",b@example.org,"Submitted for grading",1.00,5.00,Yes,"Monday, 2 February 2026, 1:00 PM",
"Participant 103",Else,e@example.org,"No submission",3.00,5.00,Yes,-,
"""


def board_of(*ids: str, facts: BoardInputs | None = None) -> Board:
    return standings(attempts(*(result(each) for each in ids)), assignment(), facts)


def exported(name: str, board: Board, sheet: Path) -> dict[str, list[dict[str, str]]]:
    files = EXPORTERS[name].export(board, sheet)
    return {file: list(csv.DictReader(io.StringIO(text.lstrip("\ufeff")))) for file, text in files.items()}


@pytest.fixture
def gradebook(tmp_path: Path) -> Path:
    file = tmp_path / "gradebook.csv"
    file.write_text(GRADEBOOK, encoding="utf-8")
    return file


@pytest.fixture
def worksheet(tmp_path: Path) -> Path:
    file = tmp_path / "worksheet.csv"
    file.write_text(WORKSHEET, encoding="utf-8")
    return file


def test_canvas_gets_our_column_for_those_who_have_a_score(gradebook: Path) -> None:
    (text,) = EXPORTERS["canvas"].export(board_of("101", "102"), gradebook).values()
    assert text == (
        "Student,ID,SIS User ID,SIS Login ID,Section,Homework (12)\n"
        "    Points Possible,,,,,5\n"
        '"王, 小明",101,,wang@example.org,A and B,3\n'
        '"O\'Neil, Bob",102,,=bob,A,3\n'
    )


def test_a_team_s_score_is_everyone_s(gradebook: Path) -> None:
    people = (Person(id="101", name="W", team="red"), Person(id="102", name="B", team="red"))
    found = exported("canvas", board_of("red", facts=BoardInputs(roster=Roster(people))), gradebook)
    assert [row["Homework (12)"] for row in found["canvas.csv"]] == ["5", "3", "3"]


@pytest.mark.parametrize("name", ["canvas", "moodle"])
def test_who_is_not_in_the_sheet_is_said(name: str, gradebook: Path, worksheet: Path) -> None:
    found = exported(name, board_of("101", "999"), gradebook if name == "canvas" else worksheet)
    assert found["not-in-the-sheet.csv"] == [{"id": "999", "score": "3"}]


def test_the_only_assignment_of_a_gradebook_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "one.csv"
    file.write_text("Student,ID,SIS Login ID,Section,Something (7)\nA,101,a,S,\n", encoding="utf-8")
    assert exported("canvas", board_of("101"), file)["canvas.csv"][0]["Something (7)"] == "3"


def test_moodle_gets_its_whole_sheet_with_grades(worksheet: Path) -> None:
    found = exported("moodle", board_of("101", "102"), worksheet)["moodle.csv"]
    before = list(csv.DictReader(io.StringIO(WORKSHEET.lstrip("\ufeff"))))
    assert [row.pop("Grade") for row in found] == ["3", "3", "3.00"]
    assert [row.pop("Grade") for row in before] == ["", "1.00", "3.00"]
    assert found == before


def test_more_than_moodle_s_maximum_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "worksheet.csv"
    file.write_text(WORKSHEET.replace("5.00", "2.00"), encoding="utf-8")
    with pytest.raises(TableError, match=r"line 2: 101 has 3 points, but Moodle's maximum is 2"):
        EXPORTERS["moodle"].export(board_of("101"), file)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("canvas", "Student,ID\nA,1\n", r"no assignment is called 'Homework' or 'hw' \(there are: none\)"),
        ("canvas", "Student,ID,A (1),B (2)\nA,1,,\n", "there are: 'A', 'B'"),
        ("canvas", "Student,Homework (1)\nA,\n", "there is no column ID"),
        ("moodle", "Kennung,Bewertung\nTeilnehmer 1,\n", "set Moodle to English"),
        ("moodle", "", "empty"),
    ],
)
def test_other_sheets_are_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    with pytest.raises(TableError, match=message):
        EXPORTERS[name].export(board_of("1"), tmp_path / "x.csv")


@pytest.mark.parametrize("name", ["canvas", "moodle"])
def test_a_sheet_must_be_named(name: str) -> None:
    with pytest.raises(UsageError, match="--template: name the"):
        EXPORTERS[name].export(board_of("1"), None)


def test_pending_points_are_in_no_sheet(gradebook: Path, worksheet: Path) -> None:
    """An undecided score is neither a zero nor the whole: whoever has one is listed beside the sheet."""
    undecided = Check.could_not_check("parameter_limit", "the counts differ")
    board = standings(attempts(result("101", checks=(undecided,)), result("102")), assignment())
    for name, sheet in (("canvas", gradebook), ("moodle", worksheet)):
        files = exported(name, board, sheet)
        (waiting,) = files["pending.csv"]
        assert (waiting["id"], waiting["pending"]) == ("101", "3")
        assert "parameter_limit could not be checked" in waiting["reason"]
        grades = [each.get("Grade", each.get("Homework (12)")) for each in files[f"{name}.csv"]]
        assert "3" in grades
        assert "0" not in grades


def test_people_are_found_by_login_sis_id_or_address(gradebook: Path, worksheet: Path) -> None:
    board = board_of("WANG@example.org", "=bob")
    assert [row["ID"] for row in exported("canvas", board, gradebook)["canvas.csv"][1:]] == ["101", "102"]
    found = exported("moodle", board_of("w@EXAMPLE.org"), worksheet)["moodle.csv"]
    assert [row["Grade"] for row in found] == ["3", "1.00", "3.00"]


def test_what_was_decided_in_canvas_stays(tmp_path: Path) -> None:
    file = tmp_path / "book.csv"
    file.write_text("Student,ID,Section,Homework (12)\nA,1,S,EX\nB,2,S,N/A\nC,3,S,4\n", encoding="utf-8")
    board = board_of("1", "2", "3")
    text = EXPORTERS["canvas"].export(board, file)["canvas.csv"]
    assert text == "Student,ID,Section,Homework (12)\nC,3,S,3\n"
    assert EXPORTERS["canvas"].matches(board, file).unmatched == ("1", "2")


def test_a_line_that_two_would_have_is_nobody_s(gradebook: Path) -> None:
    board = board_of("101", "wang@example.org")
    assert EXPORTERS["canvas"].matches(board, gradebook).unmatched == ("101", "wang@example.org")
    assert "王" not in EXPORTERS["canvas"].export(board, gradebook)["canvas.csv"]


def test_lists_beside_a_sheet_hold_no_formulas(gradebook: Path) -> None:
    (line,) = exported("canvas", board_of("=cmd|' /C calc'!A0"), gradebook)["not-in-the-sheet.csv"]
    assert line["id"].startswith("'=cmd")


def test_scores_are_plain_digits() -> None:
    assert [number(each) for each in (-0.0, 0.1 + 0.2, 1e-7, 1e10, 2.50, -1e-12, 100)] == [
        *("0", "0.3", "0.0000001", "10000000000", "2.5", "0", "100"),
    ]
