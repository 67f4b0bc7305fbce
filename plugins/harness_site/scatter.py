"""Draw the board: its two Pareto metrics, the front, intervals, baselines and the limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from harness.api import Axes, Baseline, Board, Standing
from harness.api.charts import Axis, Place, Scale, Size, axes, element, label, spanning, whiskers, x_axis
from harness.api.text import clean, interval_text, metric_text

WIDE = Size(width=920, height=430, left=62, right=24, top=26, bottom=46)
NARROW = Size(width=380, height=360, left=54, right=14, top=26, bottom=46)
_LINKED = 400
"""More points than this are drawn as dots, without links and intervals: nobody could tell them apart."""
_NAMED = 14
_NAME_CHARACTERS = 22
_LETTER, _LINE = 7.0, 15.0
"""Space that a character and a line of a label take, in SVG units."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The same picture for wide and for narrow screens, and what it says in words."""

    wide: Markup
    narrow: Markup
    caption: str


@dataclass(frozen=True, slots=True)
class _Plot:
    board: Board
    names: Axes
    rows: Sequence[Standing]
    limit: float | None
    links: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Point:
    row: Standing
    x: float
    y: float
    at: Place
    ends: tuple[float, float] | None


def scatter(board: Board, limit: float | None, links: Mapping[str, str]) -> Picture | None:
    """None where the board has no two metrics to draw, or no rows.

    Args:
        limit: the most that x may be.
        links: path of the page of every row that has one.
    """
    names = board.pareto
    rows = [row for row in board.standings if names and {names.x, names.y} <= set(row.metrics)]
    if names is None or not rows:
        return None
    front = [row for row in rows if row.pareto]
    count = "1 submission" if len(rows) == 1 else f"{len(rows):,} submissions"
    caption = (
        f"{names.y_title.capitalize()} against {names.x_title} of {count}. Filled: the Pareto front "
        f"({len(front):,}); no other is better in one of the two without being worse in the other."
    )
    plot = _Plot(board, names, rows, limit, links)
    return Picture(_drawn(plot, WIDE), _drawn(plot, NARROW), caption)


def _drawn(plot: _Plot, size: Size) -> Markup:
    names = plot.names
    x, y, levels = _scales(plot, size)
    points = [_point(row, names, x, y) for row in plot.rows]
    front = sorted((each for each in points if each.row.pareto), key=lambda each: each.x)
    few = len(points) <= _LINKED
    first = plot.rows[0].metrics
    across = Axis(names.x_title, first[names.x].unit == "fraction")
    up = Axis(names.y_title, first[names.y].unit == "fraction")
    parts = [axes(x, y, across, up, size), _levels(levels, y, size), _limit(plot.limit, x, size)]
    if few:
        parts.append(whiskers((each.at[0], *each.ends) for each in points if each.ends))
    parts.append(element("path", d=_steps(front, names), class_="front"))
    if few:
        # The front last, so that nothing hides it.
        parts += [_linked(each, plot) for each in sorted(points, key=lambda each: bool(each.row.pareto))]
    else:
        parts += [_dots([each for each in points if not each.row.pareto], "dots"), _dots(front, "dots best")]
    parts += _names(front, points, size)
    title = f"{names.y_title} against {names.x_title}; the table below has the numbers"
    view = f"0 0 {size.width} {size.height}"
    kind = "wide-only" if size is WIDE else "narrow-only"
    return element("svg", *parts, class_=f"chart scatter {kind}", role="img", aria_label=title, viewBox=view)


def _scales(plot: _Plot, size: Size) -> tuple[Scale, Scale, list[Baseline]]:
    """The axes span all points; baselines only where they do not squeeze them."""
    names, limit = plot.names, plot.limit
    across = [float(row.metrics[names.x].value) for row in plot.rows]
    x = x_axis([*across, limit] if limit and limit > 0 else across, size)
    metrics = [row.metrics[names.y] for row in plot.rows]
    ends = [end for each in metrics for end in (each.low, each.value, each.high) if end is not None]
    room = 0.6 * max(max(ends) - min(ends), 0.02)
    lowest, highest = min(ends) - room, max(ends) + room
    near = [each for each in plot.board.baselines if lowest <= each.accuracy <= highest]
    y = spanning([*ends, *(each.accuracy for each in near)], start=size.y[0], end=size.y[1])
    return x, y, near


def _point(row: Standing, names: Axes, x: Scale, y: Scale) -> _Point:
    metric = row.metrics[names.y]
    at_x, at_y = float(row.metrics[names.x].value), float(metric.value)
    ends = (y(metric.low), y(metric.high)) if metric.low is not None and metric.high is not None else None
    return _Point(row, at_x, at_y, (x(at_x), y(at_y)), ends)


def _levels(levels: Sequence[Baseline], y: Scale, size: Size) -> Markup:
    left, right = size.x
    lines = "".join(f"M{left} {y(each.accuracy)}H{right}" for each in levels)
    texts = [label(right, y(each.accuracy) - 5, clean(each.name, 20), anchor="end", class_="level") for each in levels]
    return Markup("").join([element("path", d=lines or "M0 0", class_="level"), *texts])


def _limit(limit: float | None, x: Scale, size: Size) -> Markup:
    if not limit or not x.low <= limit <= x.high:
        return Markup("")
    bottom, top = size.y
    at = x(limit)
    text = label(at - 5, bottom - 6, "limit", anchor="end", class_="level")
    return element("path", d=f"M{at} {bottom}V{top}", class_="limit") + text


def _steps(front: Sequence[_Point], names: Axes) -> str:
    """The front as stairs: from each point the best that is known of the next sizes."""
    if not front:
        return "M0 0"
    parts = [f"M{front[0].at[0]} {front[0].at[1]}"]
    for each in front[1:]:
        x, y = each.at
        parts.append(f"V{y}H{x}" if names.x_higher_is_better else f"H{x}V{y}")
    return "".join(parts)


def _linked(point: _Point, plot: _Plot) -> Markup:
    row, names, links = point.row, plot.names, plot.links
    x, y = row.metrics[names.x], row.metrics[names.y]
    interval = f" ({interval_text(y)})" if interval_text(y) else ""
    said = f"{row.rank}. {clean(row.name, 60)}: {metric_text(y)}{interval}, {metric_text(x)} {names.x_title}"
    circle = element("circle", element("title", said), cx=point.at[0], cy=point.at[1], r=5.5 if row.pareto else 4.5)
    kind = "point best" if row.pareto else "point"
    if row.name not in links:
        return element("g", circle, class_=kind)
    # The table has the same links, in order: here they are for the mouse alone.
    return element("a", circle, href=links[row.name], class_=kind, tabindex="-1")


def _dots(points: Sequence[_Point], kind: str) -> Markup:
    return element("path", d="".join(f"M{x} {y}h0" for x, y in (each.at for each in points)) or "M0 0", class_=kind)


def _names(front: Sequence[_Point], points: Sequence[_Point], size: Size) -> list[Markup]:
    """Names beside the points of the front, where there is room; the table has all of them."""
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in (each.at for each in points[:_LINKED])]
    found = []
    for point in sorted(front, key=lambda each: each.row.rank)[:_NAMED]:
        text = clean(point.row.name, _NAME_CHARACTERS)
        width = _LETTER * len(text)
        for box, anchor, at in _spots(point.at, width):
            inside = size.left <= box[0] and box[2] <= size.width and size.top <= box[1] and box[3] <= size.y[0]
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                found.append(label(*at, text, anchor=anchor, class_="who"))
                break
    return found


Box = tuple[float, float, float, float]


def _spots(at: Place, width: float) -> list[tuple[Box, str, Place]]:
    """Where a label may stand: (its box, its anchor, the place of the anchor), the best first."""
    x, y = at
    spots: list[tuple[Box, str, Place]] = []
    for rise in (-9.0, 17.0, 4.0):
        top, bottom = y + rise - _LINE * 0.75, y + rise + _LINE * 0.25
        spots += [
            ((x + 9, top, x + 9 + width, bottom), "start", (x + 9, y + rise)),
            ((x - 9 - width, top, x - 9, bottom), "end", (x - 9, y + rise)),
        ]
    return spots


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
