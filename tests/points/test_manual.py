"""Manual points: what spreadsheets write is read, and every mistake is listed once."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import TableError
from harness.points.manual import GivenPoints, read_manual_points
from harness.values.rules import ManualPoints

MANUAL = (ManualPoints(name="report", points=20), ManualPoints(name="Question 1: why", points=5))
KNOWN = {"alice", "bob", "王小明", "team 1"}


def written(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    file = tmp_path / "table.csv"
    file.write_bytes(text.encode(encoding))
    return file


def given(tmp_path: Path, text: str, **groups: str) -> GivenPoints:
    return read_manual_points(written(tmp_path, text), MANUAL, KNOWN, groups)


@pytest.mark.parametrize(
    "text",
    [
        "submission,report,Question 1: why\nalice,18.5,\n王小明,20,0\n",
        "submission;report;Question 1: why\r\nalice;18.5;\r\n王小明;20;0\r\n",
        "id\treport\tquestion 1: WHY\nalice\t 18.5 \t\n\n王小明\t2e1\t0\n",
        '"report","submission","Question 1: why"\n"18.5","alice",""\n"20","王小明","0"\n,,\n',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_points_as_spreadsheets_save_them(tmp_path: Path, text: str, encoding: str) -> None:
    found = read_manual_points(written(tmp_path, text, encoding), MANUAL, KNOWN, {})
    assert found == {"alice": {"report": 18.5}, "王小明": {"report": 20, "Question 1: why": 0}}


def test_every_mistake_is_listed_once(tmp_path: Path) -> None:
    text = (
        "submission,report,demo,Question 1: why\n"
        "alise,21,3,five\n"
        "alice,-1,,NaN\n"
        "alice,inf,,1_0\n"
        ',"18,5",,\n'
        "bob,20,,5,surplus\n"
    )
    with pytest.raises(TableError) as caught:
        given(tmp_path, text)
    assert sorted(map(str, caught.value.problems)) == sorted([
        "line 1: unknown column 'demo' (known: submission, id, report, question 1: why)",
        "line 2: no submission 'alise'; did you mean 'alice'?",
        "line 2, report: '21' is not a number from 0 to 20",
        "line 2, Question 1: why: 'five' is not a number from 0 to 5",
        "line 3, report: '-1' is not a number from 0 to 20",
        "line 3, Question 1: why: 'NaN' is not a number from 0 to 5",
        "line 4: 'alice' again, already in line 3",
        "line 4, report: 'inf' is not a number from 0 to 20",
        "line 4, Question 1: why: '1_0' is not a number from 0 to 5",
        "line 5: no submission",
        "line 5, report: '18,5' is not a number from 0 to 20",
        "line 6: 5 cells under 4 headings",
    ])  # fmt: skip
    assert "table.csv: 12 mistakes" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"name,points\nalice,3\n", "there is no column submission or id"),
        (b"submission,id\nalice,alice\n", "two columns hold 'submission'"),
        ("submission\n王".encode("big5"), "not UTF-8 text"),
        (b"PK\x03\x04\0\0\0\0", "save the spreadsheet as CSV"),
    ],
)
def test_what_is_no_such_table_is_said(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(TableError, match=message):
        read_manual_points(tmp_path / "table.csv", MANUAL, KNOWN, {})


def test_points_are_the_team_s_and_must_agree(tmp_path: Path) -> None:
    teams = {"alice": "team 1", "bob": "team 1", "team 1": "team 1"}
    assert given(tmp_path, "id,report\nalice,18\nbob,\n", **teams) == {"team 1": {"report": 18}}
    with pytest.raises(TableError, match="line 3, report: 17, but 18 for someone of the same team"):
        given(tmp_path, "id,report\nalice,18\nbob,17\n", **teams)
