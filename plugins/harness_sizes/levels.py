"""Write the values of a quantised tensor as whole numbers, and the ranges or tables that give them back.

A quantiser has one range for a tensor, or one for every output or input channel. Values that are evenly spaced within
their range are the least of them plus whole multiples of a step: two numbers of 32 bits per range. Others, as k-means
makes them, need a table of all distinct values.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_ROUNDINGS = 4 * 2.0**-24
"""How far float32 values may lie off their grid, as a share of the largest: they were scaled and shifted."""


@dataclass(frozen=True, eq=False)
class Levels:
    """Whole numbers, and what turns them into values.

    Attributes:
        tables: two float32 per range, or all distinct values as float32.
        numbers: int64 [N], below 2^bits.
    """

    tables: bytes
    numbers: Tensor

    def size_bits(self, bits: int) -> int:
        """Without padding."""
        return 8 * len(self.tables) + len(self.numbers) * bits

    def data(self, bits: int) -> bytes:
        """The tables, then the numbers without gaps between them, highest bit first."""
        import numpy as np

        eight = np.unpackbits(self.numbers.numpy().astype(np.uint8).reshape(-1, 1), axis=1)
        return self.tables + np.packbits(eight[:, 8 - bits :]).tobytes()


def levels(tensor: Tensor, bits: int, *, without_zeros: bool = False) -> Levels | None:
    """The shortest of the ways to write a tensor in whole numbers of `bits` ≤ 8 bits; None where there is none.

    Args:
        without_zeros: leave out values that are exactly zero, which a mask tells of.
    """
    whole = _kept([tensor], without_zeros)
    if found := _on_grids(whole, bits):
        return found
    several = [each for parts in _channels(tensor) if (each := _on_grids(_kept(parts, without_zeros), bits))]
    return min([*several, *_in_a_table(whole[0], bits)], key=lambda each: len(each.tables), default=None)


def _channels(tensor: Tensor) -> Iterator[list[Tensor]]:
    """What may share a range within a tensor: the values of an output channel, those of an input channel."""
    if tensor.dim() > 1:
        yield list(tensor)
        yield list(tensor.transpose(0, 1))


def _kept(parts: Sequence[Tensor], without_zeros: bool) -> list[Tensor]:
    flat = [each.reshape(-1).double() for each in parts]
    return [each[each != 0] for each in flat] if without_zeros else flat


def _on_grids(parts: Sequence[Tensor], bits: int) -> Levels | None:
    import torch

    tables, numbers = [], []
    for part in parts:
        grid = _grid(part, 2**bits - 1)
        if grid is None:
            return None
        low, step = grid
        if len(part):
            tables.append(struct.pack("<2f", low, step))
        numbers.append(((part - low) / (step or 1)).round().long())
    return Levels(b"".join(tables), torch.cat(numbers) if numbers else torch.zeros(0, dtype=torch.int64))


def _grid(values: Tensor, steps: int) -> tuple[float, float] | None:
    """The least value and the step of a grid of at most so many steps on which all values lie; None without one."""
    import torch

    distinct = torch.unique(values)
    if len(distinct) < 2:
        return (float(distinct[0]) if len(distinct) else 0.0), 0.0
    if len(distinct) > steps + 1:
        return None
    low, span, gap = float(distinct[0]), float(distinct[-1] - distinct[0]), float(distinct.diff().min())
    slack = _ROUNDINGS * float(distinct.abs().max()) / span
    # The smallest gap is a whole number of steps, of one where two neighbours occur.
    for times in range(1, steps + 1):
        count = round(times * span / gap)
        if count > steps:
            return None
        off = ((distinct - low) / span * count).frac()
        if bool((torch.minimum(off, 1 - off) <= count * slack + 1e-9).all()):
            return low, span / count
    return None


def _in_a_table(values: Tensor, bits: int) -> list[Levels]:
    import torch

    distinct, numbers = torch.unique(values, return_inverse=True)
    if len(distinct) > 2**bits:
        return []
    return [Levels(struct.pack(f"<{len(distinct)}f", *distinct.tolist()), numbers)]
