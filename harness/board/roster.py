"""Read the roster: who takes part, who works with whom, and so who handed in nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.csv_tables import read_table
from harness.values.board import Person

_COLUMNS = {
    "id": "id",
    "submission": "id",
    "student id": "id",
    "sid": "id",
    "name": "name",
    "email": "email",
    "team": "team",
}
# As registrars and spreadsheets head them in German, Spanish, Chinese and Japanese.
_ELSEWHERE = {
    "id": "kennung matrikelnummer identificador matrícula código 学号 學號 编号 編號 学籍番号 学生番号",
    "name": "nombre 姓名 名前 氏名",
    "email": "e-mail mail e-mail-adresse correo email-adresse 邮箱 電子郵件 电子邮件 メール メールアドレス",
    "team": "gruppe equipo grupo group 组 組別 小组 小組 チーム グループ",
}


@dataclass(frozen=True, slots=True)
class Roster:
    """Everyone who takes part, in the order of the file."""

    people: tuple[Person, ...]
    also: Mapping[str, str] = field(default_factory=dict)
    """Further ids of submissions -> the team or the person they belong to."""

    @property
    def groups(self) -> Mapping[str, str]:
        """Submission id -> the team or the person it belongs to; ids nobody in the roster has are absent."""
        ids = ((name, person.team or person.id) for person in self.people for name in (person.id, person.team))
        return {**self.also, **{name: group for name, group in ids if name}}

    def by_group(self) -> dict[str, tuple[Person, ...]]:
        """The people of every team, and of everyone who is a group alone."""
        found: dict[str, tuple[Person, ...]] = {}
        for person in self.people:
            group = person.team or person.id
            found[group] = (*found.get(group, ()), person)
        return found

    def missing(self, submissions: Iterable[str]) -> tuple[Person, ...]:
        """Who handed in nothing: no submission bears their id, a teammate's, or the team's."""
        groups = self.groups
        there = {groups[submission] for submission in submissions if submission in groups}
        return tuple(person for person in self.people if (person.team or person.id) not in there)


def read_roster(path: Path) -> Roster:
    """A CSV file with the column `id` and, if you like, `name`, `email` and `team`, in a few languages.

    Raises:
        UsageError: the file cannot be read.
        TableError: it has mistakes; all are listed.
    """
    table = read_table(
        path, _COLUMNS, "id", {word: column for column, words in _ELSEWHERE.items() for word in words.split()}
    )
    table.check()
    return Roster(
        tuple(
            Person(
                id=row.cells["id"],
                name=row.cells.get("name", row.cells["id"]),
                email=row.cells.get("email"),
                team=row.cells.get("team"),
            )
            for row in table.rows
        )
    )
