"""Test whether a difference is more than noise (McNemar, Holm), and find what nothing beats (Pareto).

Everything here is vectorised over a class: 10,000 submissions of 10,000 images are compared in well under a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Numbers = NDArray[np.float64]
Bits = NDArray[np.uint8]

SIGNIFICANCE = 0.05


class Point(NamedTuple):
    """A submission in the plane of two metrics, both turned so that more is better."""

    x: float
    y: float


def disagreements(first: bytes, others: Sequence[bytes]) -> tuple[Counts, Counts]:
    """How many images only `first` has right, and how many only each of the others.

    Args:
        first, others: packed bits (numpy.packbits), all of one length, 1 where the image was predicted right.

    Returns:
        Two arrays [len(others)].
    """
    mine = np.frombuffer(first, dtype=np.uint8)
    theirs = np.frombuffer(b"".join(others), dtype=np.uint8).reshape(len(others), len(mine))
    return _ones(mine & ~theirs), _ones(~mine & theirs)


def mcnemar(only_first: Counts, only_second: Counts) -> Numbers:
    """Two-sided exact p values of McNemar's test (doi:10.1007/BF02295996): min(1, 2·P(Bin(b + c, ½) ≤ min(b, c))).

    Args:
        only_first, only_second: b and c, the images only one of the two has right; [N] each.
    """
    from scipy.special import bdtr

    both = only_first + only_second
    p: Numbers = np.minimum(1.0, 2.0 * bdtr(np.minimum(only_first, only_second), both, 0.5))
    return np.where(both == 0, 1.0, p)


def holm(p: Numbers) -> Numbers:
    """P values adjusted for how many there are, by Holm's step-down method (Holm 1979, jstor:4615733)."""
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def pareto(points: Sequence[Point]) -> list[bool]:
    """For each point whether it is on the front: none is at least as good in both and better in one."""
    front = [False] * len(points)
    best = -np.inf
    order = sorted(range(len(points)), key=lambda index: (-points[index].x, -points[index].y))
    previous: Point | None = None
    for index in order:
        point = points[index]
        front[index] = point.y > best or point == previous
        if front[index]:
            best, previous = point.y, point
    return front


def _ones(bits: Bits) -> Counts:
    # A table instead of numpy.bitwise_count, which NumPy 1 does not have.
    ones: Counts = _ones_in_byte()[bits].sum(axis=1, dtype=np.int64)
    return ones


@cache
def _ones_in_byte() -> Bits:
    table: Bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1, dtype=np.uint8)
    return table
