"""Pictures of curves as SVG: the same bytes every time, no colour needed, nothing of a student's interpreted."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from importlib import resources

import pytest

from harness.api import Curve, Series
from harness.charts.svg_file import svg_file

SVG = "{http://www.w3.org/2000/svg}"


def curve(*series: Series, x: str = "parameters") -> Curve:
    return Curve(name="pruning", x=x, y="accuracy", series=series)


def one(label: str = "global L1", points=((1000, 0.9), (100, 0.5), (10, 0.1))) -> Series:
    ys = [y for _, y in points]
    return Series(label=label, points=points, low=tuple(y - 0.05 for y in ys), high=tuple(y + 0.05 for y in ys))


@pytest.mark.parametrize(
    "series",
    [
        (),
        (Series(label="nothing", points=()),),
        (one(points=((5, 0.5),)),),
        (one(points=((0, 0.0), (-3, 0.0))),),
        (Series(label="no intervals", points=((1, 0), (10**9, 1))),),
    ],
)
def test_few_or_odd_points_are_no_trouble(series):
    ET.fromstring(svg_file(curve(*series)))


def test_what_students_wrote_is_text():
    hostile = "_$\\frac{1}{0}$ <script>alert(1)</script> \x1b[31m漢字\u202e"
    tree = ET.fromstring(svg_file(curve(one(hostile))))
    assert not list(tree.iter(f"{SVG}script"))
    texts = ["".join(each.itertext()) for each in tree.iter(f"{SVG}text")]
    assert any("$\\frac{1}{0}$ <script>alert(1)</script> 漢字" in each for each in texts)


def test_svg_is_the_same_bytes_every_time():
    shown = curve(one(), one("random, seed 1", ((1000, 0.9), (100, 0.3))))
    assert svg_file(shown) == svg_file(shown)
    assert "date" not in svg_file(shown).lower()


def test_svg_needs_no_colour():
    """Drawn in one ink, every series is still told apart by its dashes and its marks."""
    tree = ET.fromstring(svg_file(curve(*(one(f"series {index}") for index in range(8)))))
    kinds = [
        (by_class(each, "line")[0].get("stroke-dasharray"), by_class(each, "mark")[0].get("d", "").split("m", 1)[1])
        for each in by_class(tree, "swatch")
    ]
    assert len(set(kinds)) == 8


def by_class(tree: ET.Element, name: str) -> list[ET.Element]:
    return [each for each in tree.iter() if name in each.get("class", "").split()]


def test_svg_stands_alone():
    """Its size, paper and style are its own, in the light colours of the site; nothing is fetched."""
    text = svg_file(curve(one()))
    tree = ET.fromstring(text)
    assert tree.tag == f"{SVG}svg"
    assert tree.get("viewBox") == f"0 0 {tree.get('width')} {tree.get('height')}"
    (style,) = tree.iter(f"{SVG}style")
    light = resources.files("harness.web").joinpath("style.css").read_text(encoding="utf-8").partition("@media")[0]
    colours = re.findall(r"--(k\d): (#\w+)", light)
    assert len(colours) == 8
    assert all(f".{name} {{ color: {colour}; }}" in style.text for name, colour in colours)
    assert "var(" not in style.text
    used = {name for each in tree.iter() for name in each.get("class", "").split()}
    assert all(f".{name} " in style.text for name in used - {"swatch"})
    assert re.findall('https?:[^"]*', text) == ["http://www.w3.org/2000/svg"]


def test_the_key_stays_on_the_paper():
    shown = curve(*(one(f"{'漢' * 25} number {index}") for index in range(9)))
    tree = ET.fromstring(svg_file(shown))
    places = [re.findall(r"[\d.]+", each.get("transform")) for each in tree.iter(f"{SVG}g") if each.get("transform")]
    assert len({tuple(each) for each in places}) == 9
    assert max(float(y) for _, y in places) + 14 < float(tree.get("height"))
