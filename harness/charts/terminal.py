"""Draw curves with characters, for terminals and Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise

from rich.console import Group, RenderableType
from rich.text import Text

from harness.charts.axis import Axis, axes_of, title_of
from harness.charts.scales import Scale, spanning, spanning_either
from harness.text import clean
from harness.values.curves import Curve, Series

_MARKERS = "ox+*#@%&"
_LABEL_CHARACTERS = 60


def terminal(curve: Curve, *, width: int = 64, height: int = 14) -> RenderableType:
    """The curve drawn in characters: a mark per series, `┊` for intervals, dots between points.

    Args:
        width: of the drawing in characters, without the numbers beside it.
        height: in lines, likewise.
    """
    shown = [each for each in curve.series if each.points]
    if not shown:
        return Text(f"{clean(curve.name)}: no point could be measured")
    x, y = _axes(shown, width, height)
    paper = _Paper(width, height)
    for series in shown:
        for (x0, y0), (x1, y1) in pairwise(series.points):
            paper.line(x(x0), y(y0), x(x1), y(y1))
    for series in shown:
        for (at, _), low, high in zip(series.points, series.low, series.high, strict=False):
            paper.bar(x(at), y(low), y(high))
    for index, series in enumerate(shown):
        for at, value in series.points:
            paper.put(x(at), y(value), _MARKERS[index % len(_MARKERS)])
    labels = [clean(each.label, _LABEL_CHARACTERS) for each in shown]
    key = [f"{_MARKERS[index % len(_MARKERS)]} {each}" for index, each in enumerate(labels)]
    lines = [title_of(curve), *paper.framed(x, y, *axes_of(curve)), *key]
    return Group(*(Text(each, no_wrap=True, overflow="ellipsis") for each in lines))


def _axes(shown: Sequence[Series], width: int, height: int) -> tuple[Scale, Scale]:
    across = (at for each in shown for at, _ in each.points)
    ends = chain.from_iterable((*each.low, *each.high, *(value for _, value in each.points)) for each in shown)
    return spanning_either(across, start=0, end=width - 1), spanning(ends, start=height - 1, end=0)


class _Paper:
    """A grid of characters; places are given from the left and from the top."""

    def __init__(self, width: int, height: int) -> None:
        self._rows = [[" "] * width for _ in range(height)]

    def put(self, column: float, row: float, mark: str, *, over: str | None = None) -> None:
        """Write a character; with `over`, only where one of these is."""
        line = self._rows[round(row)]
        if over is None or line[round(column)] in over:
            line[round(column)] = mark

    def bar(self, column: float, one: float, other: float) -> None:
        first, last = sorted((round(one), round(other)))
        for row in range(first, last + 1):
            self.put(column, row, "┊", over=" ·")

    def line(self, x0: float, y0: float, x1: float, y1: float) -> None:
        steps = max(1, round(max(abs(x1 - x0), abs(y1 - y0))))
        for step in range(1, steps):
            self.put(x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * step / steps, "·", over=" ")

    def framed(self, x: Scale, y: Scale, across: Axis, up: Axis) -> list[str]:
        """The lines with an axis and numbers on the left and below."""
        ups, acrosses = y.ticks(7), x.ticks(4)
        rows = {round(y(each)): text for each, text in zip(ups, up.ticks(ups), strict=True)}
        beside = max(map(len, rows.values()), default=0)
        lines = [
            f"{rows.get(index, ''):>{beside}} {'┤' if index in rows else '│'}{''.join(line).rstrip()}"
            for index, line in enumerate(self._rows)
        ]
        axis, numbers = ["─"] * len(self._rows[0]), [" "] * (len(self._rows[0]) + 12)
        for each, text in zip(acrosses, across.ticks(acrosses), strict=True):
            axis[round(x(each))] = "┬"
            start = max(0, round(x(each)) - len(text) // 2)
            numbers[start : start + len(text)] = text
        return [*lines, f"{'':{beside}} └{''.join(axis)}", f"{'':{beside}}  {''.join(numbers).rstrip()}"]
