"""A curve in the terminal."""

from __future__ import annotations

from rich.console import RenderableType

from harness.api import Curve
from harness.cli.display import safe, simple_table
from harness.text import point_interval


def curve_view(curve: Curve) -> RenderableType:
    """The points of every series, with their intervals where there are any."""
    table = simple_table(curve.name, curve.x, curve.y, "95 % interval")
    for column in table.columns[1:]:
        column.justify = "right"
    for series in curve.series:
        for index, (x, y) in enumerate(series.points):
            name = safe(series.label if index == 0 else "")
            table.add_row(name, f"{x:,.6g}", f"{y:.4g}", point_interval(series, index))
    return table
