"""Arcs between names, against places worked out by hand."""

from __future__ import annotations

import re

from harness.charts.links import Link, link_charts

EVIL = "<script>alert(1)</script>"


def link(one: str, other: str, number: int = 1, strength: float = 1.0) -> Link:
    return Link(one, other, number, f"{number}: {one}, {other}", strength)


def test_there_is_a_picture_for_each_group_that_hangs_together() -> None:
    first, second = link_charts([link("a", "b", 1), link("x", "y", 2), link("c", "b", 3)])
    assert first.count("<circle") == 3
    assert second.count("<circle") == 2
    assert 'href="#finding-3"' in first
    assert 'href="#finding-2"' in second


def test_an_arc_ends_at_its_names() -> None:
    (chart,) = link_charts([link("a", "b", 1), link("b", "c", 2)])
    heights = {
        name: float(y) - 4 for y, name in re.findall(r'<text x="[\d.]+" y="([\d.]+)"[^>]*class="who">(\w)<', chart)
    }
    ends = {
        (float(top), float(bottom))
        for top, bottom in re.findall(r'd="M190 ([\d.]+)A\S+ \S+ 0 0 1 190 ([\d.]+)"', chart)
    }
    assert ends == {(heights["a"], heights["b"]), (heights["b"], heights["c"])}


def test_what_is_more_alike_has_a_thicker_line_and_lies_on_top() -> None:
    (chart,) = link_charts([link("a", "b", 1, 1.0), link("b", "c", 2, 0.0)])
    assert re.findall(r'stroke-width="([\d.]+)"', chart) == ["1.0", "4.0"]


def test_names_are_text() -> None:
    (chart,) = link_charts([link(EVIL, "b\x1b[2J")])
    assert "<script" not in chart
    assert "\x1b" not in chart


def test_nothing_is_drawn_of_nothing() -> None:
    assert link_charts([]) == []
