"""Curves in a terminal: every point at its place, every series told apart, nothing of a student's interpreted."""

from __future__ import annotations

import pytest
from rich.console import Console

from harness.api import Curve, Series
from harness.charts.terminal import terminal


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


def test_what_students_wrote_is_text():
    hostile = "_$\\frac{1}{0}$ <script>alert(1)</script> \x1b[31m漢字\u202e"
    assert "\x1b" not in "".join(drawn(curve(one(hostile))))


def test_narrow_terminals_cut_lines_instead_of_wrapping_them():
    assert len(drawn(curve(one()), columns=30)) == len(drawn(curve(one())))
