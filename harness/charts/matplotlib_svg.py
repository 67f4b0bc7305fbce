"""Curves as pictures: in characters for the terminal, and as SVG by matplotlib for reports and slides.

Both show every point with its 95 % interval and tell the series apart without colour, by marks and line styles.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from harness.charts.scales import Scale, spanning, spanning_logs
from harness.text import clean
from harness.values.curves import Curve, Series

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_LOG_FROM = 5
"""x spans more than this ratio: logarithmic."""
_SVG_MARKERS = "osD^vPX*"
_DASHES = ("solid", "dashed", "dotted", "dashdot")
_GREYS = ("black", "0.35", "0.55")
_LABEL_CHARACTERS = 60


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
                marker=_SVG_MARKERS[index % len(_SVG_MARKERS)], linestyle=_DASHES[index % len(_DASHES)],
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
