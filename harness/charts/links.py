"""Draw who is linked with whom: names in a column, and an arc for each link, as SVG.

An arc diagram (Wattenberg 2002): unlike names around a circle, those in a column can be read however many there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from harness.charts.svg import element, label
from harness.text import clean

_NAME_CHARACTERS = 24
_WIDTH, _LINE, _NODE_X, _MARGIN = 400, 26, 190, 14
_WIDEST = 180
"""No arc reaches further to the right, in SVG units."""
_HALF_AT = 3
"""An arc over so many lines reaches half as far."""
_THINNEST, _THICKER = 1.0, 3.0


@dataclass(frozen=True, slots=True)
class Link:
    """Two names that have something in common."""

    one: str
    other: str
    number: int
    """Under which more is said: the arc leads to `#finding-<number>`."""
    said: str
    """What it is, for who points at the arc."""
    strength: float
    """From 0 to 1."""


def link_charts(links: Sequence[Link]) -> list[Markup]:
    """A picture for each group of names that are linked with each other, in the order of the first link of each."""
    return [_chart(names, [each for each in links if each.one in names]) for names in _groups(links)]


def _groups(links: Iterable[Link]) -> list[dict[str, int]]:
    """Name -> its line, for each group; beginning with the first link, those linked with one name close to it."""
    neighbours: dict[str, list[str]] = {}
    for each in links:
        neighbours.setdefault(each.one, []).append(each.other)
        neighbours.setdefault(each.other, []).append(each.one)
    groups: list[dict[str, int]] = []
    for start in neighbours:
        if not any(start in group for group in groups):
            groups.append(_reached(start, neighbours))
    return groups


def _reached(start: str, neighbours: Mapping[str, Sequence[str]]) -> dict[str, int]:
    lines, waiting = {start: 0}, [start]
    for name in waiting:  # grows while it is gone through
        for other in neighbours[name]:
            if other not in lines:
                lines[other] = len(lines)
                waiting.append(other)
    return lines


def _chart(lines: Mapping[str, int], links: Sequence[Link]) -> Markup:
    # The strongest last, so that nothing hides it; and no arc over a number.
    arcs, numbers = zip(*(_arc(each, lines) for each in sorted(links, key=lambda each: each.strength)), strict=True)
    names = [_name(name, line) for name, line in lines.items()]
    height = 2 * _MARGIN + _LINE * (len(lines) - 1)
    count = "1 finding" if len(links) == 1 else f"{len(links)} findings"
    title = f"{count} between {len(lines)} submissions; the table has them"
    view = f"0 0 {_WIDTH} {height}"
    return element("svg", *arcs, *numbers, *names, class_="chart links", role="img", aria_label=title, viewBox=view)


def _arc(link: Link, lines: Mapping[str, int]) -> tuple[Markup, Markup]:
    """The arc and its number, each of which leads to the evidence."""
    top, bottom = sorted(_height(lines[name]) for name in (link.one, link.other))
    span = (bottom - top) / _LINE
    reach = round(_WIDEST * span / (span + _HALF_AT), 1)
    path = element(
        "path",
        element("title", clean(link.said)),
        d=f"M{_NODE_X} {top}A{reach} {(bottom - top) / 2} 0 0 1 {_NODE_X} {bottom}",
        stroke_width=round(_THINNEST + _THICKER * link.strength, 1),
    )
    number = label(_NODE_X + reach + 5, (top + bottom) / 2 + 4, str(link.number))
    there = f"#finding-{link.number}"
    # One of them is enough for the keyboard.
    return element("a", path, href=there, class_="link", tabindex="-1"), element("a", number, href=there, class_="link")


def _name(name: str, line: int) -> Markup:
    y = _height(line)
    node = element("circle", cx=_NODE_X, cy=y, r=4.5, class_="node")
    said = label(_NODE_X - 12, y + 4, clean(name, _NAME_CHARACTERS), anchor="end", class_="who")
    return element("g", element("title", clean(name)), node, said)


def _height(line: int) -> float:
    return float(_MARGIN + _LINE * line)
