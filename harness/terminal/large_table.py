"""Align tables of thousands of rows: rich takes half a minute to fold what takes tabulate a second."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.text import Text

Cell = str | Text


@dataclass(frozen=True, slots=True)
class LargeTable:
    """A table without colours and folding; a cell is one line."""

    headers: Sequence[str]
    rows: Iterable[Sequence[Cell]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from tabulate import tabulate

        rows = [[_line(cell) for cell in row] for row in self.rows]
        text = tabulate(rows, self.headers, tablefmt="plain", disable_numparse=True)
        for line in text.splitlines():
            yield Segment(line.rstrip())
            yield Segment.line()


def _line(cell: Cell) -> str:
    return " ".join((cell.plain if isinstance(cell, Text) else cell).split())
