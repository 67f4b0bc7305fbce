"""Export to Canvas and Moodle: their own sheets, downloaded there, with our scores filled in.

Canvas   the gradebook: `Student,ID,…,SIS Login ID,Section,<title> (<assignment id>)…`, then a line of points possible.
         What is not in the file is not changed, and a blank cell is a change: so only our column is written, and only
         the lines of those who have a score.
Moodle   the grading worksheet: `Identifier` ("Participant 123"), `Grade`, `Maximum Grade`, `Last modified (grade)`, …
         Moodle wants the whole sheet back, and refuses a line whose time of grading it does not know.

Excused people are `EX` in Canvas. Moodle's sheet has no word for it: their lines stay as they were, and excused.csv
names them, to be excluded in its gradebook by hand.

Points that are pending are no score: whoever has some is in neither sheet, but in pending.csv with the reason.
Both find people by the ids of submissions, which in bulk downloads are those of the system, or by the roster's.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from harness.api import Board, Exporter, Standing, Unranked, UsageError, hookimpl
from harness.api.files import Problem, TableError, read_lines

_CANVAS_PEOPLE = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
_CANVAS_EXCUSED = "EX"
_CANVAS_TITLE = re.compile(r"(?P<title>.*) \((?P<id>\d+)\)")
_MOODLE_PERSON = re.compile(r"\D*(\d+)")

Sheet = Sequence[tuple[int, list[str]]]


class Canvas:
    """The gradebook of Canvas (`--template`, its export) with the column of this assignment filled in."""

    name = "canvas"

    def export(self, board: Board, template: Path | None) -> dict[str, str]:
        path = _needed(template, "the gradebook that Canvas exports")
        (_, header), *rows = _read(path)
        column = _canvas_column(header, board, path)
        kept = [index for index, name in enumerate(header) if name in _CANVAS_PEOPLE] + [column]
        if "ID" not in header:
            _refuse(path, "there is no column ID: is this the gradebook that Canvas exports?")
        scores = _scores(board)
        person, excused = header.index("ID"), {each.id for each in board.excused}
        written = [header]
        found = set()
        for _, cells in rows:
            if "Points Possible" in cells[0] and not cells[person]:
                written.append(cells)
            elif (identity := cells[person].strip()) in excused:
                written.append([*cells[:column], _CANVAS_EXCUSED, *cells[column + 1 :]])
            elif identity in scores:
                found.add(identity)
                written.append(_filled(cells, column, scores[identity]))
        chosen = [[cells[index] for index in kept] for cells in written]
        return {"canvas.csv": _written(chosen, ",")} | _left_out(scores, found) | _pending(board)


class Moodle:
    """The grading worksheet of Moodle (`--template`, its download) with the grades filled in."""

    name = "moodle"

    def export(self, board: Board, template: Path | None) -> dict[str, str]:
        path = _needed(template, "the grading worksheet that Moodle offers for download")
        (_, header), *rows = _read(path)
        columns = {name.strip(): index for index, name in enumerate(header)}
        if "Identifier" not in columns or "Grade" not in columns:
            _refuse(path, "needs the columns Identifier and Grade: set Moodle to English and download it again")
        scores, problems, found = _scores(board), list[Problem](), set()
        written = [header]
        for line, cells in rows:
            match = _MOODLE_PERSON.fullmatch(cells[columns["Identifier"]].strip())
            identity = match[1] if match else ""
            if identity not in scores:
                written.append(cells)
                continue
            found.add(identity)
            written.append(_filled(cells, columns["Grade"], scores[identity]))
            most = _number(cells, columns.get("Maximum Grade"))
            if most is not None and scores[identity] > most:
                what = f"{identity} has {scores[identity]:g} points, but Moodle's maximum is {most:g}"
                problems.append(Problem(f"line {line}", what))
        if problems:
            raise TableError(str(path), problems)
        files = {"moodle.csv": _written(written, ",")}
        return files | _left_out(scores, found) | _pending(board) | excused_list(board)


def _needed(template: Path | None, what: str) -> Path:
    if template is None:
        raise UsageError(f"--template: name {what}; its own lines are filled in")
    return template


def _read(path: Path) -> Sheet:
    """The lines of a sheet, each as long as its header."""
    lines, _ = read_lines(path)
    if not lines:
        _refuse(path, "empty")
    width = len(lines[0][1])
    return [(line, cells + [""] * (width - len(cells))) for line, cells in lines]


def _filled(cells: Sequence[str], column: int, score: float) -> list[str]:
    return [*cells[:column], f"{score:.10g}", *cells[column + 1 :]]


def _canvas_column(header: Sequence[str], board: Board, path: Path) -> int:
    """The column that bears the assignment's title or id, or the only one there is."""
    titles = {index: match["title"] for index, name in enumerate(header) if (match := _CANVAS_TITLE.fullmatch(name))}
    ours = {board.title.casefold(), board.assignment.id.casefold()}
    named = [index for index, title in titles.items() if title.strip().casefold() in ours] or list(titles)
    if len(named) != 1:
        known = ", ".join(repr(title) for title in titles.values()) or "none"
        _refuse(path, f"no assignment is called {board.title!r} or {board.assignment.id!r} (there are: {known})")
    return named[0]


def _scores(board: Board) -> dict[str, float]:
    """Id -> score, by submission and by everyone of the roster it belongs to."""
    scores: dict[str, float] = {}
    for row in _rows(board):
        if not row.pending:
            scores |= dict.fromkeys(_ids(row), row.score)
    return scores


def _rows(board: Board) -> tuple[Standing | Unranked, ...]:
    return (*board.standings, *board.unranked)


def _ids(row: Standing | Unranked) -> list[str]:
    return [person.id for person in row.people] or [row.submission or ""]


def _pending(board: Board) -> dict[str, str]:
    """Who waits for a decision, and for which; no file where that is nobody."""
    rows = [
        [identity, f"{row.pending:.10g}", "; ".join(dict.fromkeys(line.reason for line in row.points if line.pending))]
        for row in _rows(board)
        if row.pending
        for identity in _ids(row)
    ]
    return {"pending.csv": _written([["id", "pending", "reason"], *sorted(rows)], ",")} if rows else {}


def excused_list(board: Board) -> dict[str, str]:
    """Whom the assignment does not count for, for systems that cannot be told; no file where that is nobody."""
    rows = [[each.id, each.name, each.email or ""] for each in board.excused]
    return {"excused.csv": _written([["id", "name", "email"], *rows], ",")} if rows else {}


def _left_out(scores: Mapping[str, float], found: set[str]) -> dict[str, str]:
    """Who has a score and is not in the sheet; no file where that is nobody."""
    rows = [[identity, f"{score:.10g}"] for identity, score in sorted(scores.items()) if identity not in found]
    return {"not-in-the-sheet.csv": _written([["id", "score"], *rows], ",")} if rows else {}


def _number(cells: Sequence[str], column: int | None) -> float | None:
    try:
        return None if column is None else float(cells[column])
    except (ValueError, IndexError):
        return None


def _written(rows: Iterable[Sequence[str]], delimiter: str) -> str:
    text = io.StringIO()
    # As it came from there: whoever imports it compares names and ids character by character.
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _refuse(path: Path, what: str) -> NoReturn:
    raise TableError(str(path), [Problem("line 1", what)])


@hookimpl
def harness_exporters() -> Iterable[Exporter]:
    return [Canvas(), Moodle()]
