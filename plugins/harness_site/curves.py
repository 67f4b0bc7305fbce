"""Draw curves of several submissions over each other, for the board's page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from harness.api import Board, Curve, ReportView, Series
from harness.api.charts import Drawn, Size, axes_of, colour, lines_chart, swatch
from harness.api.text import clean

WIDE = Size(width=640, height=400, left=60, right=20, top=14, bottom=46)
NARROW = Size(width=380, height=320, left=54, right=14, top=14, bottom=46)
_OFFERED = 30
"""Submissions whose curves are on the page: the best so many that have any."""
_CHOSEN = 3
"""Shown before anyone chooses."""
_CHARTS = 8


@dataclass(frozen=True, slots=True)
class Choice:
    """A submission whose curves can be switched on and off."""

    number: int
    name: str
    rank: int
    chosen: bool
    swatch: Markup
    colour: str


@dataclass(frozen=True, slots=True)
class Overlay:
    """One kind of curve of all offered submissions, for wide and narrow screens."""

    title: str
    wide: Markup
    narrow: Markup


@dataclass(frozen=True, slots=True)
class Overlays:
    """What the board's page needs to compare curves."""

    choices: list[Choice]
    charts: list[Overlay]
    all_offered: bool
    """Whether every ranked submission with curves can be chosen."""


def switches() -> str:
    """The rules by which boxes switch curves on and off, without any script."""
    return "".join(
        f'.compare:has(input[value="{number}"]:not(:checked)) .s{number}{{display:none}}' for number in range(_OFFERED)
    )


def overlays(board: Board, reports: Mapping[str, ReportView]) -> Overlays | None:
    """None where no ranked submission has curves."""
    rows = [row for row in board.standings if row.name in reports and reports[row.name].result.curves]
    offered = rows[:_OFFERED]
    if not offered:
        return None
    choices = [
        Choice(number, clean(row.name, 60), row.rank, number < _CHOSEN, swatch(number), colour(number))
        for number, row in enumerate(offered)
    ]
    found: dict[tuple[str, str], tuple[Curve, list[tuple[int, Series]]]] = {}
    for number, row in enumerate(offered):
        for curve in reports[row.name].result.curves:
            for series in curve.series:
                if series.points:
                    found.setdefault((curve.name, series.label), (curve, []))[1].append((number, series))
    # Those that compare most first: nobody's own labels push what all have off the page.
    keys = sorted(found, key=lambda key: -len(found[key][1]))[:_CHARTS]
    charts = [_overlay(key, *found[key]) for key in keys]
    return Overlays(choices, charts, len(offered) == len(rows)) if charts else None


def _overlay(key: tuple[str, str], curve: Curve, series: list[tuple[int, Series]]) -> Overlay:
    title = f"{clean(key[0], 40)}: {clean(key[1], 60)}"
    drawn = [Drawn(each, number, f"s{number}") for number, each in series]
    wide, narrow = (lines_chart(drawn, title, *axes_of(curve), size) for size in (WIDE, NARROW))
    return Overlay(title, wide, narrow)
