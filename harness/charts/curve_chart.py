"""Draw curves as inline SVG: axes, grid, lines with marks, dashes and intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from markupsafe import Markup

from harness.charts.axis import Axis, axes_of, title_of
from harness.charts.scales import Scale, spanning, spanning_either
from harness.charts.svg import colour, element, label, line, swatch, whiskers
from harness.text import clean
from harness.values.curves import Curve, Series


@dataclass(frozen=True, slots=True)
class Size:
    """Of a chart, in SVG units that are pixels at full size."""

    width: int = 460
    height: int = 300
    left: int = 58
    right: int = 14
    top: int = 12
    bottom: int = 44

    @property
    def x(self) -> tuple[float, float]:
        return float(self.left), float(self.width - self.right)

    @property
    def y(self) -> tuple[float, float]:
        return float(self.height - self.bottom), float(self.top)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A series with the number of its style and the class of the group it is switched by."""

    series: Series
    style: int
    group: str | None = None


def curve_chart(curve: Curve, size: Size = Size()) -> Markup:
    """All series of one curve, with their key above."""
    drawn = drawn_series(curve)
    key = [element("li", swatch(each.style), clean(each.series.label, 60)) for each in drawn]
    return element("ul", *key, class_="key") + lines_chart(drawn, title_of(curve), *axes_of(curve), size)


def drawn_series(curve: Curve) -> list[Drawn]:
    """Those that have points, each in its own style."""
    return [Drawn(series, index) for index, series in enumerate(curve.series) if series.points]


def lines_chart(drawn: Sequence[Drawn], title: str, across: Axis, up: Axis, size: Size) -> Markup:
    """Series in one frame."""
    return frame(title, size, *lines_on_axes(drawn, across, up, size))


def lines_on_axes(drawn: Sequence[Drawn], across: Axis, up: Axis, size: Size) -> list[Markup]:
    """What is inside: the axes span all series, so that nothing moves when a page switches some off."""
    everything = [each.series for each in drawn]
    x = x_axis([at for each in everything for at, _ in each.points], size)
    lows = chain.from_iterable(each.low for each in everything)
    highs = chain.from_iterable(each.high for each in everything)
    y = spanning([*(at for each in everything for _, at in each.points), *lows, *highs], start=size.y[0], end=size.y[1])
    return [axes(x, y, across, up, size), *(_group(each, x, y) for each in drawn)]


def _group(drawn: Drawn, x: Scale, y: Scale) -> Markup:
    """One series: its intervals, line, marks and name."""
    series = drawn.series
    across = x.places(at for at, _ in series.points)
    up = y.places(value for _, value in series.points)
    ends = zip(across, y.places(series.low), y.places(series.high), strict=True) if series.low else ()
    return element(
        "g",
        whiskers(ends) if series.low else "",
        line(list(zip(across, up, strict=True)), drawn.style),
        element("title", clean(series.label, 80)),
        class_=" ".join(filter(None, (colour(drawn.style), drawn.group))),
    )


def x_axis(values: Iterable[float], size: Size) -> Scale:
    """Logarithmic where the values are positive and far apart."""
    return spanning_either(values, start=size.x[0], end=size.x[1])


def frame(title: str, size: Size, *inside: Markup) -> Markup:
    """The picture as a whole, named for those who cannot see it; tables beside it hold its numbers."""
    return element(
        "svg", *inside, class_="chart", role="img", aria_label=title, viewBox=f"0 0 {size.width} {size.height}"
    )


def axes(x: Scale, y: Scale, across: Axis, up: Axis, size: Size) -> Markup:
    """Grid, tick labels and names."""
    (left, right), (bottom, top) = size.x, size.y
    xs = x.ticks(max(3, size.width // 110))
    ys = y.ticks(max(3, size.height // 60))
    grid = "".join(f"M{left} {y(each)}H{right}" for each in ys) + "".join(f"M{x(each)} {bottom}v5" for each in xs)
    beside_x, beside_y = zip(xs, across.ticks(xs), strict=True), zip(ys, up.ticks(ys), strict=True)
    return Markup("").join(
        [
            element("path", d=grid, class_="grid"),
            element("path", d=f"M{left} {bottom}H{right}", class_="axis"),
            *(label(x(each), bottom + 18, text, anchor="middle") for each, text in beside_x),
            *(label(left - 7, y(each) + 4, text, anchor="end") for each, text in beside_y),
            label((left + right) / 2, bottom + 36, across.title, anchor="middle", class_="name"),
            label(left, top - 2, up.title, class_="name") if size.top > 16 else Markup(""),
        ]
    )
