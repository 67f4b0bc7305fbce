"""Export to Canvas and Moodle: their own sheets, downloaded there, with our scores filled in.

Points that are pending are no score: whoever has some is in neither sheet, but in pending.csv with the reason. A grade
that stands in a sheet is never blanked, and who is not found there is listed. Excused people are `EX` in Canvas.
Moodle's sheet has no word for it: their lines stay as they were, and excused.csv names them, to be excluded by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.api import Board, Exporter, Matches, hookimpl
from harness.api.files import Problem, TableError
from harness_exports.moodle import Worksheet, read_worksheet
from harness_exports.sheets import (
    Graded,
    Placed,
    beside,
    everyone,
    excused_list,
    filled,
    folded,
    number,
    placed,
    read_sheet,
    refuse,
    written,
)

_PEOPLE = (
    *("Student", "LastName", "FirstName", "ID", "SIS User ID", "SIS Login ID", "Integration ID", "Root Account"),
    "Section",
)
_NAMELESS = ("Student", "LastName", "FirstName", "Root Account", "Section")
"""Of these, what identifies nobody."""
_TITLE = re.compile(r"(?P<title>.*) \((?P<id>\d+)\)")
_EXCUSED = "EX"
_DECIDED = ("ex", "n/a")


@dataclass(frozen=True, slots=True)
class _Gradebook:
    """What Canvas exports: lines before the people, then a line for each."""

    before: list[list[str]]
    """The header, and lines such as that of points possible."""
    rows: list[list[str]]
    column: int
    """Of this assignment."""
    kept: list[int]
    """Columns that are written."""
    ids: list[int]
    """Columns that identify people."""


class Canvas:
    """The gradebook of Canvas (`--template`, its export) with the column of this assignment filled in.

    By what its importer does (`lib/gradebook_importer.rb` of github.com/instructure/canvas-lms): the header begins with
    `Student,ID` or `LastName,FirstName,ID`, and holds `Section` before the first assignment. A column that is not in
    the file is not changed, and a blank cell is a change: so only our column is written, and only the lines of those
    who have a score. `EX` (excused) and `N/A` (not assigned) are decisions made there, and stay.
    """

    name = "canvas"

    def export(self, board: Board, template: Path | None) -> dict[str, str]:
        book, people, where = _in_gradebook(board, template)
        lines = {line: each for line, each in where.found.items() if not each.pending}
        graded = [filled(book.rows[line], book.column, _canvas_cell(lines[line])) for line in sorted(lines)]
        chosen = [[cells[index] for index in book.kept] for cells in (*book.before, *graded)]
        return {"canvas.csv": written(chosen)} | beside(people, where.absent)

    def matches(self, board: Board, template: Path | None) -> Matches:
        _, _, where = _in_gradebook(board, template)
        return _matches(where)


class Moodle:
    """The grading worksheet of Moodle (`--template`, its download) with the grades filled in.

    By what its importer does (`mod/assign/feedback/offline/importgradeslib.php` of github.com/moodle/moodle): it wants
    its own headings, in the language of whoever imports, commas, and the time of the last grade as it was. So the whole
    sheet goes back, and only grades are written.
    """

    name = "moodle"

    def export(self, board: Board, template: Path | None) -> dict[str, str]:
        sheet, people, where = _in_worksheet(board, template)
        lines = {line: each for line, each in where.found.items() if not (each.pending or each.excused)}
        problems = [
            Problem(
                f"line {sheet.numbers[line]}",
                f"{each.label} has {each.score:g} points, but Moodle's maximum is {most:g}",
            )
            for line, each in sorted(lines.items())
            if (most := sheet.most(line)) is not None and each.score > most
        ]
        if problems:
            raise TableError(sheet.source, problems)
        rows = [
            filled(cells, sheet.grade, number(lines[line].score)) if line in lines else cells
            for line, cells in enumerate(sheet.rows)
        ]
        return {"moodle.csv": written([*sheet.before, *rows])} | beside(people, where.absent) | excused_list(board)

    def matches(self, board: Board, template: Path | None) -> Matches:
        _, _, where = _in_worksheet(board, template)
        return _matches(where)


def _matches(where: Placed) -> Matches:
    """Of those who have a score, or wait for one: who was excused need not be there."""
    found = sum(not each.excused for each in where.found.values())
    return Matches(matched=found, unmatched=tuple(each.label for each in where.absent if not each.excused))


def _canvas_cell(person: Graded) -> str:
    return _EXCUSED if person.excused else number(person.score)


def _in_gradebook(board: Board, template: Path | None) -> tuple[_Gradebook, tuple[Graded, ...], Placed]:
    book, people = _read_gradebook(board, template), everyone(board)
    where = placed(people, book.rows, book.ids)
    decided = {
        line
        for line, each in where.found.items()
        if not each.excused and folded(book.rows[line][book.column]) in _DECIDED
    }
    found = {line: each for line, each in where.found.items() if line not in decided}
    return book, people, Placed(found, (*where.absent, *(where.found[line] for line in sorted(decided))))


def _read_gradebook(board: Board, template: Path | None) -> _Gradebook:
    path, lines = read_sheet(template, "the gradebook that Canvas exports")
    top = next((at for at, (_, cells) in enumerate(lines) if any(map(_TITLE.fullmatch, cells))), 0)
    header, sheet = lines[top][1], [cells for _, cells in lines]
    column = _assignment(header, board, path)
    first = min((at for at, name in enumerate(header) if _TITLE.fullmatch(name)), default=column)
    named = [at for at, name in enumerate(header[:first]) if name.strip() in _PEOPLE]
    # In another language every column before the first assignment may say who it is.
    english = "ID" in [name.strip() for name in header]
    about = named if english else list(range(first))
    ids = [at for at in about if header[at].strip() not in _NAMELESS and (english or at > 0)]
    if not ids:
        refuse(path, "there is no column ID: is this the gradebook that Canvas exports?")
    rest = sheet[top + 1 :]
    extra = [cells for cells in rest if _is_extra(cells, ids)]
    rows = [cells for cells in rest if not _is_extra(cells, ids)]
    return _Gradebook([*sheet[: top + 1], *extra], rows, column, [*about, column], ids)


def _is_extra(cells: Sequence[str], ids: Sequence[int]) -> bool:
    """Whether a line is nobody's: points possible, how grades are posted."""
    return "Points Possible" in cells[0] or not any(cells[at].strip() for at in ids)


def _assignment(header: Sequence[str], board: Board, path: Path) -> int:
    """The column that bears the assignment's title or id, or the only one there is."""
    titles = {index: match["title"] for index, name in enumerate(header) if (match := _TITLE.fullmatch(name))}
    ours = {folded(board.title), folded(board.assignment.id)}
    named = [index for index, title in titles.items() if folded(title) in ours] or list(titles)
    if len(named) != 1:
        known = ", ".join(repr(title) for title in titles.values()) or "none"
        refuse(path, f"no assignment is called {board.title!r} or {board.assignment.id!r} (there are: {known})")
    return named[0]


def _in_worksheet(board: Board, template: Path | None) -> tuple[Worksheet, tuple[Graded, ...], Placed]:
    sheet, people = read_worksheet(template), everyone(board)
    return sheet, people, placed(people, sheet.identities, range(sheet.grade))


@hookimpl
def harness_exporters() -> Iterable[Exporter]:
    return [Canvas(), Moodle()]
