"""Define curves and tables: numbers that belong together."""

from __future__ import annotations

from typing import Any

from pydantic import (
    FiniteFloat,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from harness.values.base import Value
from harness.values.measures import Metric


class Series(Value):
    """One line of a curve. What is known of its points beside x and y is parallel to them, or empty.

    >>> pruned = Series(label="global", points=((0.0, 0.91), (0.5, 0.89)), sparsity=(0.0, 0.5))
    >>> pruned.model_dump()
    {'label': 'global', 'points': ((0.0, 0.91), (0.5, 0.89)), 'sparsity': (0.0, 0.5)}
    """

    label: str
    """Its label."""
    points: tuple[tuple[FiniteFloat, FiniteFloat], ...]
    """Pairs of x and y."""
    low: tuple[FiniteFloat, ...] = ()
    """Lower ends of the 95 % intervals of y, one per point; absent where there are none."""
    high: tuple[FiniteFloat, ...] = ()
    """Upper ends, likewise."""
    sparsity: tuple[FiniteFloat, ...] = ()
    """Share of the handed-in parameters that are zero or gone, one per point; absent on other curves than pruning's."""
    bits: tuple[int, ...] = ()
    """Bits per weight, one per point; absent on other curves than those of quantisation."""
    macs: tuple[int, ...] = ()
    """Multiply-accumulates of one image, one per point; absent where they could not be counted."""
    bytes: tuple[int, ...] = ()
    """Canonical bytes, one per point; absent where x is bytes already."""
    of_student: bool = False
    """Whether the label is in the student's own words, which the class is not shown; absent where it is not."""

    @model_validator(mode="after")
    def _parallel(self) -> Series:
        for name in ("low", "high", "sparsity", "bits", "macs", "bytes"):
            if len(getattr(self, name)) not in (0, len(self.points)):
                raise ValueError(f"{name} has {len(getattr(self, name))} entries for {len(self.points)} points")
        return self

    @model_serializer(mode="wrap")
    def _without_the_unknown(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        whole: dict[str, Any] = handler(self)
        return {name: each for name, each in whole.items() if each or name in ("label", "points")}


class Curve(Value):
    """Named points (x, y) in one or more series; `x` and `y` name metrics."""

    name: str
    """Its name."""
    x: str
    """Metric along x."""
    y: str
    """Metric along y."""
    series: tuple[Series, ...]
    """The lines."""


class Row(Value):
    """One line of a table."""

    label: str
    """Its name."""
    cells: tuple[Metric | str | None, ...]
    """One per column: a number with its unit, words, or null where nothing could be measured."""
    of_student: bool = False
    """Whether the label is in the student's own words, which the class is not shown."""


class Table(Value):
    """Networks side by side; numbers that a curve cannot show."""

    name: str
    """Its name."""
    columns: tuple[str, ...]
    """What the cells of each row are."""
    rows: tuple[Row, ...]
    """One per network."""

    @model_validator(mode="after")
    def _full_rows(self) -> Table:
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise ValueError(f"{row.label} has {len(row.cells)} cells for {len(self.columns)} columns")
        return self
