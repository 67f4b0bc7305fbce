"""Test whether an image's logits depend on the other images of its batch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from harness.graph.replay import Replay

_IMAGES = 3


def mixes_images(replay: Replay, weights: Mapping[str, Tensor]) -> bool:
    """Whether what one image holds changes the logits of another.

    The same batch is run three times; its last image is noise, other noise and all NaN, which no multiplication by zero
    hides. The logits of the images before must be the same bits. Deterministic.
    """
    shape = (replay.graph.input.batch or _IMAGES, *replay.graph.input.shape)
    generator = torch.Generator().manual_seed(0)
    batch = torch.randn(shape, generator=generator)
    if len(batch) == 1:
        return False
    before = replay(weights, batch)[:-1]
    batch[-1] = torch.randn(shape[1:], generator=generator) * 10
    if not torch.equal(replay(weights, batch)[:-1], before):
        return True
    batch[-1] = torch.nan
    try:
        return not torch.equal(replay(weights, batch)[:-1], before)
    except (IndexError, RuntimeError):
        return False  # NaN as an index or a size is an error; noise has shown no dependence
