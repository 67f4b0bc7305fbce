"""A curve in the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.api import Curve
from harness.cli.display import safe, simple_table
from harness.plots import terminal
from harness.text import point_interval


def curve_view(curve: Curve) -> RenderableType:
    """A drawing, and below it the points of every series, with their intervals where there are any."""
    return Group(terminal(curve), Text(), _points(curve))


def _points(curve: Curve) -> Table:
    table = simple_table(curve.name, curve.x, curve.y, "95 % interval")
    for column in table.columns[1:]:
        column.justify = "right"
    for series in curve.series:
        for index, (x, y) in enumerate(series.points):
            name = safe(series.label if index == 0 else "")
            table.add_row(name, f"{x:,.6g}", f"{y:.4g}", point_interval(series, index))
    return table
