"""Fill in another system's sheet: find each person's line by whatever identifies people on both sides."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from harness.api import Board, Standing, Unranked, UsageError
from harness.api.files import Problem, TableError, read_lines
from harness.api.text import csv_cell

Lines = Sequence[tuple[int, list[str]]]


@dataclass(frozen=True, slots=True)
class Graded:
    """Someone who has a score, or waits for one.

    Attributes:
        label: what they are called in messages: their id in the roster, else that of the submission.
        names: everything that may identify them: ids, student numbers, e-mail addresses; folded.
        row: None where the assignment does not count for them.
    """

    label: str
    names: frozenset[str]
    row: Standing | Unranked | None

    @property
    def excused(self) -> bool:
        """Whether they have neither a score nor a zero."""
        return self.row is None

    @property
    def pending(self) -> float:
        """Points for which a person has to decide first: an undecided score is no score."""
        return self.row.pending if self.row else 0

    @property
    def score(self) -> float:
        """Their points."""
        return self.row.score if self.row else 0


@dataclass(frozen=True, slots=True)
class Placed:
    """Who stands in which line of a sheet."""

    found: Mapping[int, Graded]
    """Index of the line -> whose it is."""
    absent: tuple[Graded, ...]
    """Who has no line, or none of their own."""


def folded(text: str) -> str:
    """What two spellings of one identifier have in common."""
    return unicodedata.normalize("NFC", text).strip().casefold()


def everyone(board: Board) -> tuple[Graded, ...]:
    """Everyone of the board and who was excused: of the roster, else whom the platform names, else submissions."""
    rows: list[Standing | Unranked] = [*board.standings, *board.unranked]
    excused = (
        Graded(each.id, frozenset(map(folded, {each.id, each.email or each.id})), None) for each in board.excused
    )
    return (*(each for row in rows for each in _people(row)), *excused)


def _people(row: Standing | Unranked) -> Iterator[Graded]:
    submission = row.submission or row.name
    known = [(each.id, {each.id, each.email or each.id}) for each in row.people]
    known = known or [(" ".join(names) or submission, set(names)) for names in row.accounts]
    if len(known) <= 1:
        # One person alone is known by all of them.
        names = {submission}.union(*(found for _, found in known), *row.accounts)
        label = known[0][0] if row.people else submission
        yield Graded(label, frozenset(map(folded, names)), row)
        return
    for label, names in known:
        theirs = {name for account in row.accounts if not names.isdisjoint(account) for name in account}
        yield Graded(label, frozenset(map(folded, names | theirs)), row)


def placed(people: Sequence[Graded], rows: Sequence[Sequence[str]], columns: Iterable[int]) -> Placed:
    """Find the line of each: by the columns that identify most of them, where just one line has such a cell.

    A line that two people would have is nobody's.
    """
    indexes = {column: _index(rows, column) for column in columns}
    hits = {column: sum(not each.names.isdisjoint(index) for each in people) for column, index in indexes.items()}
    order = sorted(indexes, key=lambda column: (-hits[column], column))
    lines = [
        next((line for column in order if (line := _line(each, indexes[column])) is not None), None) for each in people
    ]
    shared = Counter(lines)
    found = {line: each for each, line in zip(people, lines, strict=True) if line is not None and shared[line] == 1}
    own = {id(each) for each in found.values()}
    return Placed(found, tuple(each for each in people if id(each) not in own))


def _index(rows: Sequence[Sequence[str]], column: int) -> dict[str, int]:
    """Cell -> the one line that has it."""
    cells = [folded(row[column]) for row in rows]
    counts = Counter(cells)
    return {cell: line for line, cell in enumerate(cells) if cell and counts[cell] == 1}


def _line(person: Graded, index: Mapping[str, int]) -> int | None:
    lines = {index[name] for name in person.names if name in index}
    return lines.pop() if len(lines) == 1 else None


def read_sheet(template: Path | None, what: str) -> tuple[Path, Lines]:
    """The lines of a sheet, each as long as the longest.

    Raises:
        UsageError: no file is named, or it cannot be read.
        TableError: it is no CSV file, or empty.
    """
    if template is None:
        raise UsageError(f"--template: name {what}; its own lines are filled in")
    lines, _ = read_lines(template)
    if not lines:
        refuse(template, "empty")
    width = max(len(cells) for _, cells in lines)
    return template, [(line, cells + [""] * (width - len(cells))) for line, cells in lines]


def filled(cells: Sequence[str], column: int, text: str) -> list[str]:
    """The line with this text in that column."""
    return [*cells[:column], text, *cells[column + 1 :]]


def number(score: float) -> str:
    """A score in plain digits, without an exponent or a negative zero: '3', '2.5'."""
    return f"{score + 0.0:.8f}".rstrip("0").rstrip(".").removeprefix("-" if abs(score) < 5e-9 else "")


def beside(people: Collection[Graded], absent: Sequence[Graded]) -> dict[str, str]:
    """Who waits for a decision, and for which; and who has a score and no line. No file where that is nobody."""
    waiting = [
        [each.label, number(each.pending), "; ".join(dict.fromkeys(p.reason for p in each.row.points if p.pending))]
        for each in people
        if each.row is not None and each.pending
    ]
    lost = [[each.label, number(each.score)] for each in absent if not (each.pending or each.excused)]
    files = {"not-in-the-sheet.csv": (["id", "score"], lost), "pending.csv": (["id", "pending", "reason"], waiting)}
    return {name: _listed(header, sorted(rows)) for name, (header, rows) in files.items() if rows}


def excused_list(board: Board) -> dict[str, str]:
    """Whom the assignment does not count for, for systems that cannot be told; no file where that is nobody."""
    rows = [[each.id, each.name, each.email or ""] for each in board.excused]
    return {"excused.csv": _listed(["id", "name", "email"], rows)} if rows else {}


def _listed(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A list for the instructor alone, safe to open in a spreadsheet."""
    return written([header, *([str(csv_cell(cell)) for cell in row] for row in rows)])


def written(rows: Iterable[Sequence[str]]) -> str:
    """Lines as CSV, as they came: whoever imports them compares names and ids character by character."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def refuse(path: Path, what: str, where: str = "line 1") -> NoReturn:
    """Raises TableError."""
    raise TableError(str(path), [Problem(where, what)])
