"""Fit a table to the terminal, instead of cutting numbers and headings.

Columns that have no room are left out, and named below, or each row becomes lines of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from harness.terminal.large_table import Cell

_NAME_CHARACTERS = 34
"""Longer names fold."""
_PROSE_CHARACTERS = 24
"""A column of sentences needs so many."""


@dataclass(frozen=True, slots=True)
class FittingTable:
    """A table whose last columns may be left out.

    Args:
        headers: of the columns, the most important first.
        rows: a cell for each.
        kept: how many of them always stay.
        name: the column whose cells may fold.
    """

    headers: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    kept: int
    name: int = 1

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        count = len(self.headers)
        while count > self.kept and self._width(console, options, count) > options.max_width:
            count -= 1
        yield self._table(count)
        if left_out := self.headers[count:]:
            yield Text(f"no room for: {', '.join(left_out)}", "dim")

    def _width(self, console: Console, options: ConsoleOptions, count: int) -> int:
        # Of a table that may be as wide as it likes.
        return Measurement.get(console, options.update_width(10_000), self._table(count)).maximum

    def _table(self, count: int) -> Table:
        table = _bare()
        for place, header in enumerate(self.headers[:count]):
            if place == self.name:
                table.add_column(Text(header), overflow="fold", max_width=_NAME_CHARACTERS)
            else:
                # Half a number is worse than none.
                table.add_column(Text(header), no_wrap=True, justify="left" if header == "" else "right")
        for row in self.rows:
            table.add_row(*row[:count])
        return table


@dataclass(frozen=True, slots=True)
class TurningTable:
    """A table of whole cells; where it is too wide, the columns of a row stand below each other.

    Args:
        headers: of the columns.
        rows: a cell for each.
        heading: how many of the first columns say whose row it is.
        prose: the last column has sentences, and folds.
        figures: the columns behind the heading are numbers, aligned at the right.
    """

    headers: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    heading: int = 1
    prose: bool = False
    figures: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # Sentences may be as long as they like: their column has a width of its own.
        figures = [(*row[:-1], "") if self.prose else row for row in self.rows]
        if Measurement.get(console, options.update_width(10_000), self._table(figures)).maximum <= options.max_width:
            yield self._table(self.rows)
            return
        for row in self.rows:
            yield Text("  ").join(Text.assemble(cell, style="bold") for cell in row[: self.heading])
            lines = Table.grid(padding=(0, 2, 0, 0))
            lines.add_column(no_wrap=True)
            lines.add_column(overflow="fold")
            for header, cell in zip(self.headers[self.heading :], row[self.heading :], strict=True):
                if cell:
                    lines.add_row(Text(f"  {header}"), cell)
            yield lines

    def _table(self, rows: Iterable[Sequence[Cell]]) -> Table:
        table = _bare()
        for place, header in enumerate(self.headers):
            if self.prose and place == len(self.headers) - 1:
                table.add_column(Text(header), overflow="fold", min_width=_PROSE_CHARACTERS)
            else:
                right = self.figures and place >= self.heading
                table.add_column(Text(header), no_wrap=True, justify="right" if right else "left")
        for row in rows:
            table.add_row(*row)
        return table


def _bare() -> Table:
    """A table without lines."""
    return Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
