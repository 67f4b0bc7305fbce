"""Read tables that instructors write: CSV as any spreadsheet saves it, with every mistake listed at once."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import Problem, TableError, UsageError
from harness.text import encoding_of, suggestion

_LIMIT_BYTES = 32 << 20
_DELIMITER = re.compile(r"sep=([,;\t])\r?\n", re.IGNORECASE)
"""What Excel takes for the delimiter, in a line above the header."""


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One line of a table: its place for messages, and its cells by column, stripped; empty ones are absent."""

    where: str
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A table with the mistakes found so far; `check` raises them all."""

    source: str
    columns: tuple[str, ...]
    rows: tuple[CsvRow, ...]
    problems: list[Problem]

    def check(self) -> None:
        """Raises TableError if anything was found."""
        if self.problems:
            raise TableError(self.source, self.problems)


def read_table(path: Path, known: Mapping[str, str], required: str, also: Mapping[str, str] | None = None) -> CsvTable:
    """A table with a header.

    Commas, semicolons and tabs are told apart by the header, or by a line `sep=;` above it; UTF-8 with or without a
    byte order mark, or UTF-16 with one.

    Args:
        known: heading in lower case -> what the column is called in `CsvTable`; anything else is a mistake.
        also: the same for headings that messages need not name, such as those of other languages.
        required: the column that identifies a row; it must be filled in, and not twice with the same.

    Raises:
        UsageError: the file cannot be read.
        TableError: not a table, or one without the required column.
    """
    lines, _ = read_lines(path)
    source = str(path)
    if not lines:
        raise TableError(source, [Problem("", "empty: a header and a line for each person are needed")])
    understood = {**(also or {}), **known}
    header = [unicodedata.normalize("NFC", cell.strip()) for cell in lines[0][1]]
    problems = [
        Problem("line 1", f"unknown column {name!r}{suggestion(name.lower(), known)} (known: {', '.join(known)})")
        for name in header
        if name and name.lower() not in understood
    ]
    columns = [understood.get(name.lower(), "") for name in header]
    if required not in columns:
        names = " or ".join(heading for heading, column in known.items() if column == required)
        raise TableError(source, [*problems, Problem("line 1", f"there is no column {names}")])
    problems += [
        Problem("line 1", f"two columns hold {name!r}") for name in set(columns) if name and columns.count(name) > 1
    ]
    rows = [_row(line, cells, columns, problems) for line, cells in lines[1:] if any(map(str.strip, cells))]
    _check_keys(rows, required, problems)
    return CsvTable(source, tuple(filter(None, columns)), tuple(rows), problems)


def read_lines(path: Path) -> tuple[list[tuple[int, list[str]]], str]:
    """Lines that are not empty with their numbers, cells as they are; and the delimiter.

    Raises:
        UsageError: the file cannot be read.
        TableError: it is no CSV in UTF-8 or UTF-16.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > _LIMIT_BYTES:
        raise UsageError(f"{path}: larger than {_LIMIT_BYTES:,} bytes; is it a table?")
    try:
        # Excel's "Unicode text" is UTF-16.
        text = content.decode("utf-16" if content[:2] in (BOM_UTF16_LE, BOM_UTF16_BE) else "utf-8-sig")
    except UnicodeDecodeError as error:
        seems = f" (it seems to be {name})" if (name := encoding_of(content)) else ""
        raise TableError(str(path), [Problem("", f"not UTF-8 text{seems}: save it as 'CSV UTF-8'")]) from error
    if "\0" in text:
        raise TableError(str(path), [Problem("", "not text: save the spreadsheet as CSV")])
    told = _DELIMITER.match(text)
    text, above = text[told.end() :] if told else text, 1 if told else 0
    head = text.lstrip("\r\n").partition("\n")[0]
    delimiter = told[1] if told else max(",;\t", key=head.count)
    # Not splitlines(): a cell may hold what Unicode calls the end of a line.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return [(reader.line_num + above, cells) for cells in reader if cells], delimiter
    except csv.Error as error:
        raise TableError(str(path), [Problem(f"line {reader.line_num + above}", str(error))]) from error


def _row(line: int, cells: list[str], columns: list[str], problems: list[Problem]) -> CsvRow:
    where = f"line {line}"
    if any(cell.strip() for cell in cells[len(columns) :]):
        problems.append(Problem(where, f"{len(cells)} cells under {len(columns)} headings"))
    # Ids and names are compared, and some systems write é as two characters: e and an accent.
    named = zip(columns, (unicodedata.normalize("NFC", cell.strip()) for cell in cells), strict=False)
    return CsvRow(where, {column: cell for column, cell in named if column and cell})


def _check_keys(rows: list[CsvRow], required: str, problems: list[Problem]) -> None:
    seen: dict[str, str] = {}
    for row in rows:
        key = row.cells.get(required)
        if key is None:
            problems.append(Problem(row.where, f"no {required}"))
        elif key in seen:
            problems.append(Problem(row.where, f"{key!r} again, already in {seen[key]}"))
        else:
            seen[key] = row.where
