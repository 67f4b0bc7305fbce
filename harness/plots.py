"""Curves as pictures: in characters for the terminal, and as SVG by matplotlib for reports and slides.

Both show every point with its 95 % interval and tell the series apart without colour, by marks and line styles.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from harness.api import Curve, Series
from harness.text import clean
from harness.web.scales import Scale, spanning, spanning_logs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LOG_FROM = 5
"""x spans more than this ratio: logarithmic."""
_MARKS = "ox+*#@%&"
_SVG_MARKS = "osD^vPX*"
_DASHES = ("solid", "dashed", "dotted", "dashdot")
_GREYS = ("black", "0.35", "0.55")
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
            paper.put(x(at), y(value), _MARKS[index % len(_MARKS)])
    key = [f"{_MARKS[index % len(_MARKS)]} {_label(each)}" for index, each in enumerate(shown)]
    title = f"{clean(curve.name)}: {clean(curve.y)} against {clean(curve.x)}"
    lines = [title, *paper.framed(x, y), *key]
    return Group(*(Text(each, no_wrap=True, overflow="ellipsis") for each in lines))


def svg(curve: Curve) -> str:
    """The curve as an SVG document; the same curve gives the same bytes, whenever and wherever with one matplotlib."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # Text stays text: it can be searched, and the reader's machine may have the fonts that this one lacks.
    with rc_context({"svg.hashsalt": "harness", "svg.fonttype": "none"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(6.4, 3.8 + 0.25 * len(curve.series)), layout="constrained")
        _draw(figure, curve)
        content = io.StringIO()
        figure.savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()


def _draw(figure: Figure, curve: Curve) -> None:
    axes = figure.add_subplot()
    shown = [each for each in curve.series if each.points]
    handles: list[Any] = []
    for index, series in enumerate(shown):
        xs, ys = zip(*series.points, strict=True)
        bars = None
        if series.low:
            below = [y - low for y, low in zip(ys, series.low, strict=True)]
            bars = [below, [high - y for y, high in zip(ys, series.high, strict=True)]]
        handles.append(
            axes.errorbar(
                xs, ys, yerr=bars, capsize=2, markersize=4.5, linewidth=1.2, elinewidth=0.8,
                marker=_SVG_MARKS[index % len(_SVG_MARKS)], linestyle=_DASHES[index % len(_DASHES)],
                color=_GREYS[index // len(_DASHES) % len(_GREYS)], markerfacecolor="white" if index % 2 else None,
            )
        )  # fmt: skip
    if _far(shown):
        axes.set_xscale("log")
        ticks = _axes(shown, 2, 2)[0].ticks(5)
        axes.set_xticks(ticks, [f"{each:,.6g}" for each in ticks])
        axes.minorticks_off()
    axes.grid(visible=True, linewidth=0.3)
    # Never as mathematics: what students call their series may hold dollar signs.
    axes.set_xlabel(clean(curve.x), parse_math=False)
    axes.set_ylabel(clean(curve.y), parse_math=False)
    axes.set_title(clean(curve.name), parse_math=False)
    if handles:
        # A leading space: matplotlib hides labels that begin with an underscore.
        labels = [f" {_label(each)}" for each in shown]
        legend = figure.legend(handles=handles, labels=labels, loc="outside lower center", frameon=False)
        for text in legend.get_texts():
            text.set_parse_math(False)


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

    def framed(self, x: Scale, y: Scale) -> list[str]:
        """The lines with an axis and numbers on the left and below."""
        rows = {round(y(each)): f"{each:g}" for each in y.ticks(7)}
        beside = max(map(len, rows.values()), default=0)
        lines = [
            f"{rows.get(index, ''):>{beside}} {'┤' if index in rows else '│'}{''.join(line).rstrip()}"
            for index, line in enumerate(self._rows)
        ]
        axis, numbers = ["─"] * len(self._rows[0]), [" "] * (len(self._rows[0]) + 12)
        for each in x.ticks(4):
            axis[round(x(each))] = "┬"
            text = f"{each:,.6g}"
            start = max(0, round(x(each)) - len(text) // 2)
            numbers[start : start + len(text)] = text
        return [*lines, f"{'':{beside}} └{''.join(axis)}", f"{'':{beside}}  {''.join(numbers).rstrip()}"]


def _axes(shown: Sequence[Series], width: int, height: int) -> tuple[Scale, Scale]:
    across = [at for each in shown for at, _ in each.points]
    ends = chain.from_iterable((*each.low, *each.high, *(value for _, value in each.points)) for each in shown)
    x = (spanning_logs if _far(shown) else spanning)(across, start=0, end=width - 1)
    return x, spanning(ends, start=height - 1, end=0)


def _far(shown: Iterable[Series]) -> bool:
    values = [at for each in shown for at, _ in each.points]
    return bool(values) and min(values) > 0 and max(values) / min(values) > _LOG_FROM


def _label(series: Series) -> str:
    return clean(series.label, _LABEL_CHARACTERS)
