"""Match two networks: how much they resemble each other, in place and with channels in the best order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness_similarity.layers import Network

if TYPE_CHECKING:
    from harness_similarity.layers import Floats

    Order = NDArray[np.intp]

_MAX_ROWS = 1024
"""Wider layers are compared in the order they have: matching takes a time that grows with the cube."""
_ORDERS = 4
"""Orders of earlier layers that are tried for a layer's inputs, the latest first."""


@dataclass(frozen=True, slots=True)
class Match:
    """Resemblance layer by layer: 1 is equal, 0 what chance gives."""

    layers: tuple[float, ...]
    moved: float
    """Share of the channels that stand elsewhere in the other network, those of the last layer, the classes, aside."""

    @property
    def resemblance(self) -> float:
        return float(np.mean(self.layers)) if self.layers else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Outputs:
    """Where a layer's output channels were found: channel k of one is channel `order[k]` of the other's `count`."""

    order: Order
    count: int

    def as_inputs(self, few: int, many: int) -> Order | None:
        """The order of a layer's inputs that come from these outputs; a flattened channel is a block of inputs."""
        block, rest = divmod(few, len(self.order))
        if rest or not block or many != block * self.count:
            return None
        return (self.order[:, None] * block + np.arange(block)).reshape(-1)


@dataclass(slots=True)
class Matcher:
    """Matches networks; remembers what chance gives for every pair of shapes."""

    stop_below: float
    """Networks whose first layers resemble each other less than this are not looked at further."""
    _chance: dict[tuple[tuple[int, ...], tuple[int, ...], bool], float] = field(default_factory=dict)

    def match(self, one: Network, other: Network, places: Sequence[tuple[int, int]]) -> Match:
        """Match the channels of one layer after the other.

        The best order of a layer's rows is the assignment of the largest total |cosine| (Hungarian method). It is the
        order of the inputs of the layers that come after; which of them reads which is not known from tensors, so the
        latest orders of the right length are tried, and the given one. Inputs of the network stay where they are.

        Args:
            places: layers of one and of the other; those of one have as many channels as the other's, or fewer.
        """
        found: list[_Outputs] = []
        resemblances: list[float] = []
        for first, second in places:
            few, many = one.layers[first], other.layers[second]
            deep = _is_depthwise(few, many, found)
            cosine, order = _best(few, many, found, depthwise=deep)
            chance = self._by_chance(few, many, depthwise=deep)
            resemblances.append((cosine - chance) / (1 - chance))
            if sum(resemblances) < self.stop_below * len(resemblances):
                break
            found.append(_Outputs(order, len(many)))
        return Match(tuple(resemblances), _moved(found[: len(places) - 1]))

    def _by_chance(self, few: Floats, many: Floats, *, depthwise: bool) -> float:
        """The mean |cosine| after matching with the same numbers in random order: more rows, more luck."""
        key = few.shape, many.shape, depthwise
        if key not in self._chance:
            shuffled = np.random.default_rng(0).permutation(many.reshape(-1)).reshape(many.shape)
            others = _unit(shuffled.reshape(len(many), -1)).reshape(many.shape)
            cosine, _ = _best(few, others, [], depthwise=depthwise)
            # One row of one number is equal by chance: such a layer tells nothing, and counts as unlike.
            self._chance[key] = min(cosine, 0.99)
        return self._chance[key]


def in_place(ones: Sequence[Network], others: Sequence[Network], places: Sequence[tuple[int, int]]) -> Floats:
    """Mean cosine over the layers without moving a channel, of each of one group with each of another: [n, m]."""
    total = np.zeros((len(ones), len(others)), dtype=np.float32)
    for first, second in places:
        left = np.stack([each.layers[first].reshape(-1) for each in ones])
        right = np.stack([each.layers[second].reshape(-1) for each in others])
        total += _unit(left) @ _unit(right).T
    return np.divide(total, len(places), dtype=np.float32)


def _best(few: Floats, many: Floats, found: Sequence[_Outputs], *, depthwise: bool) -> tuple[float, Order]:
    """Mean |cosine| of the rows in their best order, and that order."""
    if len(many) > _MAX_ROWS:
        rows = np.arange(len(few))
        return float(np.abs((few * many[rows][:, : few.shape[1]]).sum(axis=(1, 2))).mean()), rows
    if depthwise:
        return _depthwise(few, many, found)
    from scipy.optimize import linear_sum_assignment

    cosines = max((_cosines(few, many[:, order]) for order in _orders(few, many, found)), key=_promise)
    rows, order = linear_sum_assignment(cosines, maximize=True)
    return float(cosines[rows, order].mean()), order


def _is_depthwise(few: Floats, many: Floats, found: Sequence[_Outputs]) -> bool:
    """Whether each output reads one channel of its own: not where there is only one to read, as in grey images."""
    one_each = few.shape[1] == 1 and few.shape[2] > 1
    return one_each and len(found[-1].order if found else ()) > 1 and bool(_earlier(len(few), len(many), found))


def _depthwise(few: Floats, many: Floats, found: Sequence[_Outputs]) -> tuple[float, Order]:
    """A depthwise layer's outputs stand in the order of its inputs: there is nothing to assign."""
    orders = [np.arange(len(few)), *_earlier(len(few), len(many), found)]
    cosines = [float(np.abs((few * many[order]).sum(axis=(1, 2))).mean()) for order in orders]
    best = int(np.argmax(cosines))
    return cosines[best], orders[best]


def _orders(few: Floats, many: Floats, found: Sequence[_Outputs]) -> Iterator[Order]:
    yield np.arange(few.shape[1])
    yield from _earlier(few.shape[1], many.shape[1], found)


def _earlier(few: int, many: int, found: Sequence[_Outputs]) -> list[Order]:
    orders = (each.as_inputs(few, many) for each in reversed(found))
    return [order for order in orders if order is not None][:_ORDERS]


def _cosines(few: Floats, many: Floats) -> Floats:
    cosines: Floats = few.reshape(len(few), -1) @ many.reshape(len(many), -1).T
    return np.abs(cosines)


def _promise(cosines: Floats) -> float:
    return float(cosines.max(axis=1).mean())


def _moved(found: Sequence[_Outputs]) -> float:
    places = [each.order != np.arange(len(each.order)) for each in found]
    return float(np.concatenate(places).mean()) if places else 0.0


def _unit(rows: Floats) -> Floats:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Floats = rows / np.maximum(norms, np.finfo(np.float32).tiny)
    return unit
