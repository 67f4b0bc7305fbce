"""Pictures of curves as SVG: the same bytes every time, no colour needed, nothing of a student's interpreted."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from harness.api import Curve, Series
from harness.charts import matplotlib_svg as plots

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
    ET.fromstring(plots.svg(curve(*series)))


def test_what_students_wrote_is_text():
    hostile = "_$\\frac{1}{0}$ <script>alert(1)</script> \x1b[31m漢字\u202e"
    tree = ET.fromstring(plots.svg(curve(one(hostile))))
    assert not list(tree.iter(f"{SVG}script"))
    texts = ["".join(each.itertext()) for each in tree.iter(f"{SVG}text")]
    assert any("$\\frac{1}{0}$ <script>alert(1)</script> 漢字" in each for each in texts)


def test_svg_is_the_same_bytes_every_time():
    shown = curve(one(), one("random, seed 1", ((1000, 0.9), (100, 0.3))))
    assert plots.svg(shown) == plots.svg(shown)
    assert "date" not in plots.svg(shown).lower()


def test_svg_needs_no_colour():
    tree = ET.fromstring(plots.svg(curve(*(one(f"series {index}") for index in range(5)))))
    colours = {
        part.split(":")[1].strip() for each in tree.iter() for part in each.get("style", "").split(";")
        if part.strip().startswith(("stroke:", "fill:"))
    }  # fmt: skip
    assert all(each == "none" or len({each.lstrip("#")[i : i + 2] for i in (0, 2, 4)}) == 1 for each in colours)
