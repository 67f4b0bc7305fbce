"""Draw SVG for pages: scales, axes and lines that can be told apart without colour."""

from harness.charts.axis import Axis, axes_of
from harness.charts.curve_chart import Drawn, Size, axes, curve_chart, frame, lines_chart, x_axis
from harness.charts.scales import Scale, spanning, spanning_logs
from harness.charts.svg import Place, colour, element, label, line, mark, swatch, whiskers

__all__ = [
    "Axis",
    "Drawn",
    "Place",
    "Scale",
    "Size",
    "axes",
    "axes_of",
    "colour",
    "curve_chart",
    "element",
    "frame",
    "label",
    "line",
    "lines_chart",
    "mark",
    "spanning",
    "spanning_logs",
    "swatch",
    "whiskers",
    "x_axis",
]
