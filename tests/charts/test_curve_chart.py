"""Axes, lines and tables of pages, against values worked out by hand."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.api import Curve, Series
from harness.charts.curve_chart import curve_chart
from harness.charts.scales import Scale, spanning, spanning_logs
from harness.charts.svg import element, swatch
from harness.web.reports import confusion


@pytest.mark.parametrize(
    ("low", "high", "about", "ticks"),
    [
        (0.0, 1.0, 5, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.913, 0.937, 5, [0.915, 0.92, 0.925, 0.93, 0.935]),
        (112_000, 285_000, 3, [150_000, 200_000, 250_000]),
        (-3, 3, 3, [-2, 0, 2]),
    ],
)
def test_ticks_are_round(low: float, high: float, about: int, ticks: list[float]) -> None:
    assert Scale(low, high, 0, 100).ticks(about) == pytest.approx(ticks)


def test_logarithmic_ticks_are_round_too() -> None:
    assert Scale(900, 120_000, 0, 100, logarithmic=True).ticks(5) == [1_000, 3_000, 10_000, 30_000, 100_000]
    assert Scale(40_000, 390_000, 0, 100, logarithmic=True).ticks(4) == [50_000, 100_000, 200_000, 300_000]


def test_equal_ratios_are_equal_distances() -> None:
    scale = Scale(1, 10_000, 0, 400, logarithmic=True)
    assert [scale(value) for value in (1, 10, 100, 1_000)] == [0, 100, 200, 300]


numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(numbers, min_size=1, max_size=5))
def test_every_value_is_inside_its_axis(values: list[float]) -> None:
    scale = spanning(values, start=60, end=460)
    assert all(60 <= scale(value) <= 460 for value in values)
    box = 1e-6 * max(abs(scale.low), abs(scale.high))
    ticks = scale.ticks(5)
    assert all(scale.low - box <= tick <= scale.high + box for tick in ticks)
    assert 1 <= len(ticks) <= 9


@given(st.lists(st.floats(min_value=0, exclude_min=True, allow_infinity=False), min_size=1, max_size=5))
def test_every_positive_value_is_inside_its_logarithmic_axis(values: list[float]) -> None:
    scale = spanning_logs(values, start=300, end=10)
    assert all(10 <= scale(value) <= 300 for value in values)
    assert len(scale.ticks(5)) <= 9


def test_points_lie_where_the_axes_say() -> None:
    series = Series(label="one", points=((10.0, 0.2), (20.0, 0.6)), low=(0.1, 0.5), high=(0.3, 0.7))
    svg = str(curve_chart(Curve(name="pruning", x="parameters", y="accuracy", series=(series,))))
    (_, places) = re.findall(r'<path d="M([^"]*)" class="line"', svg)  # the first is the key's
    (x0, y0), (x1, y1) = (tuple(map(float, place.split())) for place in places.split("L"))
    ticks = {text: float(y) - 4 for y, text in re.findall(r'y="([\d.]+)" text-anchor="end">(\d+) %<', svg)}
    assert y0 == pytest.approx(ticks["20"], abs=0.2)
    assert y1 == pytest.approx(ticks["60"], abs=0.2)
    across = {text: float(x) for x, text in re.findall(r'x="([\d.]+)" y="[\d.]+" text-anchor="middle">(\d+)<', svg)}
    assert (x0, x1) == pytest.approx((across["10"], across["20"]), abs=0.2)
    (whiskers,) = re.findall(r'<path d="([^"]*)" class="whisker"', svg)
    ends = [tuple(map(float, part)) for part in re.findall(r"M([\d.]+) ([\d.]+)V([\d.]+)", whiskers)]
    assert ends[0][0] == x0
    assert (ends[0][1] + ends[0][2]) / 2 == pytest.approx(y0, abs=0.2)


def test_lines_differ_without_colour() -> None:
    def shape(style: int) -> tuple[str, ...]:
        return tuple(re.findall(r'd="M17 7([^"]*)"', swatch(style))) + tuple(
            re.findall(r'stroke-dasharray="([^"]*)"', swatch(style))
        )

    assert len({shape(style) for style in range(12)}) == 12


def test_attributes_and_text_are_escaped() -> None:
    assert element("text", '<b>"', aria_label='"><script>', x=1.5) == (
        '<text aria-label="&#34;&gt;&lt;script&gt;" x="1.5">&lt;b&gt;&#34;</text>'
    )


def test_the_commonest_mistakes_are_shares_of_their_class() -> None:
    found = confusion([[90, 10, 0], [4, 6, 0], [0, 0, 0]], ("cat", "dog", "eel"))
    assert [(pair.true, pair.predicted, pair.count, pair.of) for pair in found.pairs] == [
        ("dog", "cat", 4, 10),
        ("cat", "dog", 10, 100),
    ]
    assert found.rows[1] == [(4, 4), (6, 5), (0, 0)]
    assert confusion([[1, 0], [0, 1]], ("of", "another", "version")).names == ["0", "1"]
