"""Write the report of one submission as a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from harness.charts.axis import axes_of, title_of
from harness.charts.curve_chart import curve_chart
from harness.charts.scales import spanning
from harness.charts.svg import element
from harness.text import clean
from harness.values.curves import Curve
from harness.values.networks import Layer
from harness.values.report import MetricLine, ReportView
from harness.web.pages import page, templates

if TYPE_CHECKING:
    from jinja2 import Environment

_PAIRS = 5
_SHADES = 9
_BAR_WIDTH, _BAR_HEIGHT = 160, 16


@dataclass(frozen=True, slots=True)
class Pair:
    """Images of one class that were taken for another."""

    true: str
    predicted: str
    count: int
    of: int


@dataclass(frozen=True, slots=True)
class Confusion:
    """A confusion matrix ready to be shown."""

    names: list[str]
    """Of the classes; their numbers where they have no names."""
    rows: list[list[tuple[int, int]]]
    """(count, shade from 0 to 9) by true and predicted class; the shade is the share of the true class."""
    pairs: list[Pair]
    """The most frequent mistakes, as shares of the true class."""


def report_page(view: ReportView, *, board: str | None = None, facts: Sequence[str] = ()) -> str:
    """The page.

    Args:
        board: where the board's page is, relative to this one.
        facts: what the board knows of it, such as its rank.
    """
    result = view.result
    return page(
        _templates(),
        "report.html",
        view=view,
        board=board,
        facts=facts,
        metrics=[(line, _drawn(line)) for line in view.metrics],
        curves=[(each, curve_chart(each)) for each in result.curves if any(series.points for series in each.series)],
        confusion=confusion(result.confusion, view.class_names) if result.confusion else None,
        layers=_shares(result.layers),
    )


def confusion(counts: Sequence[Sequence[int]], names: Sequence[str] = ()) -> Confusion:
    """Shades and the commonest mistakes of a confusion matrix."""
    totals = [sum(row) for row in counts]
    # Of another version of the assignment there may be another number of classes.
    called = list(names) if len(names) == len(counts) else [f"{number}" for number in range(len(counts))]
    rows = [
        [(count, round(_SHADES * count / total) if total else 0) for count in row]
        for row, total in zip(counts, totals, strict=True)
    ]
    found = [
        (true, predicted)
        for true, row in enumerate(counts)
        for predicted, count in enumerate(row)
        if predicted != true and count
    ]
    found.sort(key=lambda pair: -counts[pair[0]][pair[1]] / totals[pair[0]])
    pairs = [Pair(called[true], called[predicted], counts[true][predicted], totals[true]) for true, predicted in found]
    return Confusion(called, rows, pairs[:_PAIRS])


@cache
def _templates() -> Environment:
    made = templates()
    made.filters.update(point_rows=_point_rows, shaded_cells=_shaded_cells, axes=axes_of, curve_title=title_of)
    return made


# What a page has by the hundred is written out here: that takes a tenth of the time that a loop in a template takes.


def _point_rows(curve: Curve) -> Markup:
    """A table's rows: the series, x and y of each point."""
    across, up = axes_of(curve)
    rows = []
    for series in curve.series:
        head = f'<tr><th scope="row">{escape(clean(series.label, 60))}</th>'
        rows += [
            f'{head}<td class="n">{across.number(x)}</td><td class="n">{up.number(y)}</td></tr>'
            for x, y in series.points
        ]
    return Markup("\n".join(rows))  # noqa: S704 - the label is escaped, the rest are numbers


def _shaded_cells(row: Sequence[tuple[int, int]]) -> Markup:
    """A confusion matrix's cells of one true class."""
    cells = [f'<td class="h{shade}">{count}</td>' for count, shade in row]
    return Markup("".join(cells))  # noqa: S704 - numbers


def _drawn(line: MetricLine) -> Markup:
    """The value with its interval on a line of its own, between its limit and its baselines."""
    metric = line.metric
    levels = [*line.baselines.values(), *([] if line.limit is None else [line.limit])]
    if not levels and metric.low is None:
        return Markup("")
    ends = [metric.value, *(each for each in (metric.low, metric.high) if each is not None), *levels]
    if line.limit is not None:
        ends.append(0)
    scale = spanning(ends, start=6, end=_BAR_WIDTH - 6)
    middle = _BAR_HEIGHT / 2
    parts = [element("path", d=f"M0 {middle}H{_BAR_WIDTH}", class_="grid")]
    parts += [element("path", d=f"M{scale(each)} 1V{_BAR_HEIGHT - 1}", class_="level") for each in levels]
    if metric.low is not None and metric.high is not None:
        parts.append(element("path", d=f"M{scale(metric.low)} {middle}H{scale(metric.high)}", class_="interval"))
    parts.append(element("circle", cx=scale(metric.value), cy=middle, r=4, class_="value"))
    return element(
        "svg",
        *parts,
        class_="bar",
        viewBox=f"0 0 {_BAR_WIDTH} {_BAR_HEIGHT}",
        width=_BAR_WIDTH,
        height=_BAR_HEIGHT,
        aria_hidden="true",
    )


def _shares(layers: Sequence[Layer]) -> list[tuple[Layer, Markup]]:
    largest = max((each.parameters for each in layers), default=0)
    return [(each, _share(each.parameters, largest)) for each in layers]


def _share(count: int, largest: int) -> Markup:
    return _bar(max(1, round(_BAR_WIDTH * count / largest))) if count else Markup("")


@cache
def _bar(width: int) -> Markup:
    bar = element("rect", x=0, y=3, width=width, height=_BAR_HEIGHT - 6)
    return element(
        "svg",
        bar,
        class_="bar share",
        viewBox=f"0 0 {_BAR_WIDTH} {_BAR_HEIGHT}",
        width=_BAR_WIDTH,
        height=_BAR_HEIGHT,
        aria_hidden="true",
    )
