"""Fit a table to the terminal: columns that have no room are left out, and named below, instead of being cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from harness.terminal.large_table import Cell

_NAME_CHARACTERS = 34
"""Longer names fold."""


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
        table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
        for place, header in enumerate(self.headers[:count]):
            if place == self.name:
                table.add_column(Text(header), overflow="fold", max_width=_NAME_CHARACTERS)
            else:
                # Half a number is worse than none.
                table.add_column(Text(header), no_wrap=True, justify="left" if header == "" else "right")
        for row in self.rows:
            table.add_row(*row[:count])
        return table
