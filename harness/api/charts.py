"""Draw SVG for pages: scales, axes and lines that can be told apart without colour."""

from harness.charts.curve_chart import Drawn, Size, axes, axis_name, curve_chart, frame, lines_chart, percent, x_axis
from harness.charts.scales import Scale, spanning, spanning_logs
from harness.charts.svg import Place, colour, element, label, line, mark, swatch, whiskers

__all__ = [
    "Drawn",
    "Place",
    "Scale",
    "Size",
    "axes",
    "axis_name",
    "colour",
    "curve_chart",
    "element",
    "frame",
    "label",
    "line",
    "lines_chart",
    "mark",
    "percent",
    "spanning",
    "spanning_logs",
    "swatch",
    "whiskers",
    "x_axis",
]
