"""Pictures of curves: every point at its place, every series told apart, nothing of a student's interpreted."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from importlib import resources

import pytest
from rich.console import Console

from harness.api import Curve, Series
from harness.charts.svg_file import svg_file
from harness.charts.terminal import terminal

SVG = "{http://www.w3.org/2000/svg}"


def curve(*series: Series, x: str = "parameters") -> Curve:
    return Curve(name="pruning", x=x, y="accuracy", series=series)


def one(label: str = "global L1", points=((1000, 0.9), (100, 0.5), (10, 0.1))) -> Series:
    ys = [y for _, y in points]
    return Series(label=label, points=points, low=tuple(y - 0.05 for y in ys), high=tuple(y + 0.05 for y in ys))


def drawn(shown: Curve, columns: int = 90) -> list[str]:
    console = Console(width=columns, no_color=True, highlight=False)
    with console.capture() as captured:
        console.print(terminal(shown, width=41, height=21))
    return captured.get().splitlines()


def marks(lines: list[str], mark: str) -> list[tuple[int, int]]:
    body = [line.partition("│")[2] or line.partition("┤")[2] for line in lines[1:22]]
    return sorted((column, row) for row, line in enumerate(body) for column, each in enumerate(line) if each == mark)


def test_points_lie_where_their_values_say():
    """Two decades across: equal steps of the logarithm. Equal steps of y: equal steps down."""
    (x0, y0), (x1, y1), (x2, y2) = marks(drawn(curve(one())), "o")
    assert x0 < x1 < x2
    assert x1 - x0 == pytest.approx(x2 - x1, abs=1)
    assert y0 > y1 > y2
    assert y0 - y1 == pytest.approx(y1 - y2, abs=1)


def test_a_narrow_range_is_linear():
    (x0, _), (x1, _), (x2, _) = marks(drawn(curve(one(points=((4, 0.1), (5, 0.2), (8, 0.3))))), "o")
    assert (x2 - x1) / (x1 - x0) == pytest.approx(3, abs=0.3)


def test_intervals_stand_around_their_points():
    lines = drawn(curve(one(points=((1, 0.2), (2, 0.6)))))
    for column, row in marks(lines, "o"):
        around = {at for across, at in marks(lines, "┊") if across == column}
        assert {row - 1, row + 1} <= around


def test_every_series_has_its_mark_and_the_key_names_it():
    series = [one(f"number {index}", ((10, index / 10), (20, index / 10))) for index in range(8)]
    lines = drawn(curve(*series))
    keys = lines[-8:]
    assert [each.split(" ", 1)[1].strip() for each in keys] == [each.label for each in series]
    assert len({each[0] for each in keys}) == 8
    for key in keys:
        assert len(marks(lines, key[0])) == 2


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
    assert drawn(curve(*series))
    ET.fromstring(svg_file(curve(*series)))


HOSTILE = "_$\\frac{1}{0}$ <script>alert(1)</script> \x1b[31m漢字\u202e"


def test_what_students_wrote_is_text():
    lines = drawn(curve(one(HOSTILE)))
    assert "\x1b" not in "".join(lines)
    tree = ET.fromstring(svg_file(curve(one(HOSTILE))))
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


def test_narrow_terminals_cut_lines_instead_of_wrapping_them():
    assert len(drawn(curve(one()), columns=30)) == len(drawn(curve(one())))
