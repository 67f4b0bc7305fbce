"""Normalise layers into a form in which copies look alike: no names, no scales, no BatchNorm.

A network with ReLUs computes the same when one channel is multiplied by c > 0 and the next layer's weights for it are
divided by c; BatchNorm, folded into the convolution before it or not, multiplies each output channel once more. All of
that multiplies rows (output channels) and columns (input channels) of weight matrices by numbers. So every matrix is
brought to the one form in its class whose rows and columns all have the same norm (Sinkhorn & Knopp 1967,
doi:10.2140/pjm.1967.21.343): two networks that differ by scales have the same form, and nobody needs to know which
BatchNorm belongs to which convolution. A negative factor of BatchNorm flips a row's sign, so rows are compared by the
size of their cosine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    Floats = NDArray[np.float32]

MOST_LAYERS = 300
"""Layers looked at, the first of them: what somebody hands in must not decide how long everybody waits."""
_MAX_ROUNDS = 64
_EVEN = 0.01
"""How much columns may still differ, as a share of their mean. A few rounds do, but small layers with numbers near
zero need dozens: stopped early, scales show through and a rescaled copy looks like another network."""
_DEAD = 1e-3
"""Columns smaller than this share of the mean are not blown up: they hold rounding, not knowledge."""


@dataclass(frozen=True, eq=False)
class Network:
    """One submission's layers: every tensor of two or more dimensions, in the order of its state."""

    submission: str
    layers: tuple[Floats, ...]
    """Each [outputs, inputs, taps], rows of norm 1, columns of equal norm."""

    @cached_property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        return tuple(each.shape for each in self.layers)


def network(submission: str, weights: Mapping[str, Floats]) -> Network:
    """A submission in normal form."""
    matrices = [each.reshape(*each.shape[:2], -1) for each in weights.values() if each.ndim >= 2]
    return Network(submission, tuple(normal_form(each) for each in matrices[:MOST_LAYERS]))


def normal_form(weight: Floats) -> Floats:
    """Rows [outputs, inputs, taps] of norm 1 and columns of equal norm; zeros stay zeros."""
    form = _unit_rows(weight.astype(np.float64))
    if form.shape[1] > 1:
        for _ in range(_MAX_ROUNDS):
            columns = np.sqrt(np.square(form).mean(axis=(0, 2), keepdims=True))
            floor = _DEAD * columns.mean() + np.finfo(float).tiny
            form = _unit_rows(form / np.maximum(columns, floor))
            living = columns[columns > floor]
            if not living.size or np.ptp(living) <= _EVEN * columns.mean():
                break
    return form.astype(np.float32)


def aligned(one: tuple[tuple[int, ...], ...], other: tuple[tuple[int, ...], ...]) -> list[tuple[int, int]]:
    """Places of layers of equal shape in the same order, or none when they hold less than half of the smaller network.

    A layer more or less, used or not, hides nothing.
    """
    if one == other:
        return [(place, place) for place in range(len(one))]
    smaller = min(_size(one), _size(other))
    if 2 * _size((Counter(one) & Counter(other)).elements()) < smaller:
        return []
    blocks = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    places = [(block.a + step, block.b + step) for block in blocks for step in range(block.size)]
    return places if 2 * _size(one[place] for place, _ in places) >= smaller else []


def contained(one: tuple[tuple[int, ...], ...], other: tuple[tuple[int, ...], ...]) -> bool:
    """Whether `one` has the layers of `other` with fewer channels, as removing channels leaves it."""
    return (
        len(one) == len(other)
        and one != other
        and all(
            few[0] <= many[0] and few[1] <= many[1] and few[2] == many[2] and (few[1] == 1) == (many[1] == 1)
            for few, many in zip(one, other, strict=True)
        )
    )


def _unit_rows(form: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.sqrt(np.square(form).sum(axis=(1, 2), keepdims=True))
    unit: NDArray[np.float64] = form / np.maximum(norms, np.finfo(float).tiny)
    return unit


def _size(shapes: Any) -> int:
    return sum(int(np.prod(shape)) for shape in shapes)
