"""Read Moodle's grading worksheet, in whatever language it was downloaded.

`Identifier` ("Participant 123"), `Full name`, …, `Status`, `Grade`, `Maximum Grade`, `Grade can be changed`, …, `Last
modified (grade)`, feedback (`mod/assign/gradingtable.php` of github.com/moodle/moodle). Headings are in the site's
language, and the importer looks for them in that of whoever imports: they stay as they are, and where they are not
English their places and cells tell them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness_exports.sheets import folded, read_sheet, refuse

_PERSON = re.compile(r"(?P<word>\D*)(?P<id>\d+)")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")


@dataclass(frozen=True, slots=True)
class Worksheet:
    """The sheet as it was downloaded, and where its columns are."""

    source: str
    before: list[list[str]]
    """The header, and what stands above it."""
    rows: list[list[str]]
    numbers: list[int]
    """The lines of `rows` in the file, from 1."""
    identifier: int
    grade: int
    maximum: int | None

    @property
    def identities(self) -> list[list[str]]:
        """The lines with what identifies people: 'Participant 123' as 123."""
        at = self.identifier
        return [[*cells[:at], _participant(cells[at]), *cells[at + 1 :]] for cells in self.rows]

    def most(self, line: int) -> float | None:
        """The largest grade that Moodle takes there, where the sheet says it."""
        cell = "" if self.maximum is None else self.rows[line][self.maximum].strip()
        return float(cell.replace(",", ".")) if _NUMBER.fullmatch(cell) else None


def read_worksheet(template: Path | None) -> Worksheet:
    """The worksheet with its columns found.

    Raises:
        UsageError: none is named, or it cannot be read.
        TableError: it is none.
    """
    path, lines = read_sheet(template, "the grading worksheet that Moodle offers for download")
    top = next((at for at, (_, cells) in enumerate(lines) if {"Identifier", "Grade"} <= set(_stripped(cells))), 0)
    header, rows = _stripped(lines[top][1]), [cells for _, cells in lines[top + 1 :]]
    columns = _columns(header, rows)
    if columns is None:
        refuse(
            path,
            "needs the columns Identifier and Grade: is this the grading worksheet? In a language in which they "
            "cannot be told, set Moodle to English and download it again",
        )
    before, numbers = [cells for _, cells in lines[: top + 1]], [line for line, _ in lines[top + 1 :]]
    return Worksheet(str(path), before, rows, numbers, *columns)


def _columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[int, int, int | None] | None:
    """Those of identifiers, grades and maximum grades: by their English headings, else by their cells."""
    if "Identifier" in header and "Grade" in header:
        known = {folded(name): at for at, name in enumerate(header)}
        return header.index("Identifier"), header.index("Grade"), known.get("maximum grade")
    identifier, maximum = _identifier(rows), _maximum(rows)
    return None if identifier is None or maximum is None else (identifier, maximum - 1, maximum)


def _identifier(rows: Sequence[Sequence[str]]) -> int | None:
    """The first column in which every cell is the same word and another number."""
    for at in range(len(rows[0]) if rows else 0):
        found = [_PERSON.fullmatch(cells[at].strip()) for cells in rows]
        words = {match["word"] for match in found if match}
        numbers = {match["id"] for match in found if match}
        if all(found) and len(words) == 1 and words != {""} and len(numbers) == len(rows):
            return at
    return None


def _maximum(rows: Sequence[Sequence[str]]) -> int | None:
    """The column of the largest grade: one number in every line, after a column of numbers, or nothing."""
    found = {}
    for at in range(2, len(rows[0]) if rows else 0):
        cells = {row[at].strip() for row in rows}
        grades = {row[at - 1].strip() for row in rows} - {"", "-"}
        if len(cells) == 1 and all(map(_NUMBER.fullmatch, cells | grades)):
            found[at] = float(cells.pop().replace(",", "."))
    # Where all have the same grade, that is one number too, and a smaller one.
    return max(found, key=lambda at: (found[at], at), default=None)


def _participant(cell: str) -> str:
    match = _PERSON.fullmatch(cell.strip())
    return match["id"] if match else cell


def _stripped(cells: Sequence[str]) -> list[str]:
    return [cell.strip() for cell in cells]
