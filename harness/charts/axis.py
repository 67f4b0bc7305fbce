"""Say what an axis is called and how its numbers are written: shares in percent, all else as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from harness.text import clean
from harness.values.curves import Curve, Series
from harness.values.measures import ACCURACY

_TITLE_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis is called, and whether its values are shares, shown in percent."""

    title: str
    percent: bool = False

    @classmethod
    def of(cls, metric: str) -> Self:
        """The axis of a metric of which the curve has the name alone; accuracies are shares."""
        return cls(clean(metric.replace("_", " "), _TITLE_CHARACTERS), metric.startswith(ACCURACY))

    def number(self, value: float) -> str:
        """A value: '93.93 %', '95,386'."""
        return f"{100 * value:.2f} %" if self.percent else f"{value:,.6g}"

    def interval(self, series: Series, index: int) -> str:
        """The 95 % interval of a point along this axis, '93.44–94.38 %', or nothing when there is none."""
        if not (series.low and series.high):
            return ""
        return f"{self.number(series.low[index]).removesuffix(' %')}–{self.number(series.high[index])}"

    def ticks(self, values: Sequence[float]) -> list[str]:
        """What stands beside ticks: all with the same number of digits."""
        if self.percent:
            digits = next((each for each in (0, 1, 2) if all(_is_whole(tick * 100 * 10**each) for tick in values)), 2)
            return [f"{100 * each:.{digits}f} %" for each in values]
        if values and max(map(abs, values)) >= 10_000:
            return [f"{each / 1000:,.12g}k" for each in values]
        return [f"{each:,.6g}" for each in values]


def axes_of(curve: Curve) -> tuple[Axis, Axis]:
    """Those of x and y."""
    return Axis.of(curve.x), Axis.of(curve.y)


def title_of(curve: Curve) -> str:
    """'pruning: accuracy against parameters'."""
    across, up = axes_of(curve)
    return f"{clean(curve.name, 60)}: {up.title} against {across.title}"


def _is_whole(value: float) -> bool:
    return abs(value - round(value)) < 1e-6
