"""Rosters: what spreadsheets write is read, and every mistake is listed once."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.board.roster import read_roster
from harness.errors import TableError, UsageError
from harness.values.board import Person


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "table.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_roster(tmp_path / "absent.csv")


def test_a_roster_knows_teams_and_who_is_missing(tmp_path: Path) -> None:
    text = "ID,Name,Team,Email\n1,王小明,red,w@example.org\n2,Bob,red,\n3,Carol,,\n4,,,\n"
    roster = read_roster(written(tmp_path, text))
    assert roster.people[0] == Person(id="1", name="王小明", team="red", email="w@example.org")
    assert roster.people[3].name == "4"
    assert roster.groups == {"1": "red", "2": "red", "red": "red", "3": "3", "4": "4"}
    assert {group: [each.id for each in people] for group, people in roster.by_group().items()} == {
        "red": ["1", "2"],
        "3": ["3"],
        "4": ["4"],
    }
    assert [each.id for each in roster.missing(["2", "someone else"])] == ["3", "4"]
    assert [each.id for each in roster.missing(["red", "3", "4"])] == []


def test_mistakes_of_a_roster_are_listed(tmp_path: Path) -> None:
    with pytest.raises(TableError) as caught:
        read_roster(written(tmp_path, "id,nmae\n1,a\n1,b\n,c\n"))
    assert [str(each) for each in caught.value.problems] == [
        (
            "line 1: unknown column 'nmae'; did you mean 'name'? "
            "(known: id, submission, student id, sid, name, email, team)"
        ),
        "line 3: '1' again, already in line 2",
        "line 4: no id",
    ]


@pytest.mark.parametrize(
    "header",
    [
        "Matrikelnummer;Name;E-Mail;Gruppe",
        "Matrícula;Nombre;Correo;Equipo",
        "學號;姓名;電子郵件;組別",
        "学籍番号;氏名;メール;チーム",
    ],
)
def test_headings_of_other_languages_are_understood(header: str, tmp_path: Path) -> None:
    (tmp_path / "roster.csv").write_bytes(f"{header}\n007;Zoë;z@x.org;t1\n".encode("utf-8-sig"))
    (person,) = read_roster(tmp_path / "roster.csv").people
    assert (person.id, person.name, person.email, person.team) == ("007", "Zoë", "z@x.org", "t1")
