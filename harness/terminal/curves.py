"""Show curves and tables in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.charts.axis import axes_of
from harness.charts.terminal import terminal
from harness.terminal.console import safe, simple_table
from harness.terminal.fitting import TurningTable
from harness.terminal.large_table import Cell
from harness.text import cell_text
from harness.values.curves import Curve
from harness.values.curves import Table as Grid


def curve_view(curve: Curve) -> RenderableType:
    """A drawing, and below it the points of every series, with their intervals where there are any."""
    return Group(terminal(curve), Text(), _points(curve))


def table_view(table: Grid) -> RenderableType:
    """Networks side by side."""
    rows: list[Sequence[Cell]] = [(safe(row.label), *map(cell_text, row.cells, table.columns)) for row in table.rows]
    return TurningTable((table.name, *table.columns), rows, figures=True)


def _points(curve: Curve) -> Table:
    across, up = axes_of(curve)
    table = simple_table(curve.name, across.title, up.title, "95 % interval")
    for column in table.columns[1:]:
        column.justify = "right"
    for series in curve.series:
        for index, (x, y) in enumerate(series.points):
            name = safe(series.label if index == 0 else "")
            table.add_row(name, across.number(x), up.number(y), up.interval(series, index))
    return table
