"""Numbers along axes, as people write them."""

from __future__ import annotations

import pytest

from harness.api import Curve, Series
from harness.charts.axis import Axis, axes_of, title_of

CURVE = Curve(name="pruning", x="canonical_bytes", y="accuracy_public", series=())


def test_an_axis_is_called_by_its_metric_in_words() -> None:
    across, up = axes_of(CURVE)
    assert (across.title, across.percent) == ("canonical bytes", False)
    assert (up.title, up.percent) == ("accuracy public", True)
    assert title_of(CURVE) == "pruning: accuracy public against canonical bytes"


@pytest.mark.parametrize(
    ("axis", "value", "text"),
    [
        (Axis("accuracy", percent=True), 0.9393, "93.93 %"),
        (Axis("accuracy", percent=True), 1.0, "100.00 %"),
        (Axis("parameters"), 95386.0, "95,386"),
        (Axis("ms"), 0.25, "0.25"),
    ],
)
def test_numbers_have_their_unit(axis: Axis, value: float, text: str) -> None:
    assert axis.number(value) == text


def test_an_interval_has_its_unit_once_and_is_empty_where_there_is_none() -> None:
    known = Series(label="L1", points=((1.0, 0.5),), low=(0.4,), high=(0.625,))
    assert Axis("accuracy", percent=True).interval(known, 0) == "40.00–62.50 %"
    assert Axis("bytes").interval(known, 0) == "0.4–0.625"
    assert Axis("bytes").interval(Series(label="L1", points=((1.0, 0.5),)), 0) == ""


@pytest.mark.parametrize(
    ("axis", "ticks", "texts"),
    [
        (Axis("accuracy", percent=True), [0.5, 1.0], ["50 %", "100 %"]),
        (Axis("accuracy", percent=True), [0.915, 0.92], ["91.5 %", "92.0 %"]),
        (Axis("parameters"), [5_000.0, 100_000.0], ["5k", "100k"]),
        (Axis("ms"), [0.5, 2.0], ["0.5", "2"]),
        (Axis("ms"), [], []),
    ],
)
def test_ticks_of_one_axis_have_the_same_digits(axis: Axis, ticks: list[float], texts: list[str]) -> None:
    assert axis.ticks(ticks) == texts
