"""Scale axes: from values to places on paper, with round ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_MIN_MAGNITUDE, _MAX_MAGNITUDE = 1e-12, 1e15
_LOG_FROM = 5
"""Values that span more than this ratio are far apart."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear or logarithmic axis from value `low` at `start` to `high` at `end`, in SVG units."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        return self.places((value,))[0]

    def places(self, values: Iterable[float]) -> list[float]:
        """Where each value is. Much faster than one by one: a class's site has millions."""
        low, high, held = self.low, self.high, [_held(each) for each in values]
        if self.logarithmic:
            low, high, held = math.log(low), math.log(high), [math.log(max(each, _MIN_MAGNITUDE)) for each in held]
        start, length, span = self.start, self.end - self.start, high - low
        return [round(start + length * (each - low) / span, 1) for each in held]

    def ticks(self, about: int) -> list[float]:
        """Round values inside the axis, some `about` of them."""
        if self.logarithmic and self.high / self.low > 3:
            return _log_ticks(self.low, self.high, about)
        return _round_ticks(self.low, self.high, about)


def spanning(values: Iterable[float], *, start: float, end: float, share: float = 0.06) -> Scale:
    """A linear axis around the values, `share` of their range wider at both ends."""
    low, high = _range(values)
    room = (high - low) * share
    return Scale(low - room, high + room, start, end)


def spanning_logs(values: Iterable[float], *, start: float, end: float, share: float = 0.06) -> Scale:
    """A logarithmic axis around positive values."""
    low, high = _range(math.log(max(_held(each), _MIN_MAGNITUDE)) for each in values)
    room = (high - low) * share
    return Scale(math.exp(low - room), math.exp(high + room), start, end, logarithmic=True)


def spanning_either(values: Iterable[float], *, start: float, end: float) -> Scale:
    """A logarithmic axis where the values are positive and far apart, else a linear one."""
    known = list(values)
    far = min(known) > 0 and max(known) / min(known) > _LOG_FROM
    return (spanning_logs if far else spanning)(known, start=start, end=end)


def _range(values: Iterable[float]) -> tuple[float, float]:
    known = [_held(each) for each in values]
    low, high = min(known), max(known)
    largest = max(abs(low), abs(high))
    if high - low <= _MIN_MAGNITUDE * max(1.0, largest):
        room = largest * 0.1 if largest > _MIN_MAGNITUDE else 1.0
        return low - room, high + room
    return low, high


def _held(value: float) -> float:
    """Numbers that no network has may come from a student's files; they stop no page from being drawn."""
    return value if -_MAX_MAGNITUDE <= value <= _MAX_MAGNITUDE else min(max(value, -_MAX_MAGNITUDE), _MAX_MAGNITUDE)


def _round_ticks(low: float, high: float, about: int) -> list[float]:
    rough = (high - low) / about
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * each for each in (1, 2, 5, 10) if unit * each >= rough * 0.7)
    first = math.ceil(low / step - 1e-9)
    # Multiples, not sums, and twelve figures of them: 0.1 added three times is not 0.3.
    return [float(f"{index * step:.12g}") for index in range(first, math.floor(high / step + 1e-9) + 1)]


def _log_ticks(low: float, high: float, about: int) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    choices: Sequence[Sequence[int]] = ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,))
    found: list[float] = []
    for factors in choices:
        found = [float(factor * 10.0**power) for power in powers for factor in factors]
        found = [each for each in found if low <= each <= high]
        if len(found) <= about:
            return found
    return found[:: math.ceil(len(found) / about)]
