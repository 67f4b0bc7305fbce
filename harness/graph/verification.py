"""Compare a graph with the module it was traced from: both answer the same made-up images.

What is compared is what the student's process says its module answers. It gains nothing by lying: the graph is what is
graded, and the comparison protects the honest from a trace that went wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from harness.graph.replay import Replay
from harness.values.graph import Graph

_FEW_IMAGES = (1, 3)
_MANY_IMAGES = 16
_TOLERANCE = 1e-5
_ROUNDINGS = 8
"""Last digits that may differ where a network computes in fewer bits than float32."""


def probe_sizes(graph: Graph, most: int | None) -> tuple[int, ...]:
    """Numbers of images in the batches to compare on.

    Args:
        most: that fit into one; None: a few images are enough.
    """
    if graph.input.batch is not None:
        return (graph.input.batch,)
    return _FEW_IMAGES if most is None else (*_FEW_IMAGES, min(most, _MANY_IMAGES))


def probes(shape: Sequence[int], sizes: Sequence[int]) -> Iterator[Tensor]:
    """Batches of standard normal numbers, float32 [N, channels, height, width], channels last."""
    for seed, images in enumerate(sizes):
        batch = torch.randn(images, *shape, generator=torch.Generator().manual_seed(seed))
        yield batch.contiguous(memory_format=torch.channels_last)


def difference(
    replay: Replay, weights: Mapping[str, Tensor], expected: Sequence[Tensor], sizes: Sequence[int]
) -> float:
    """The largest difference between the graph's logits and the expected ones, as a share of the largest expected one.

    Args:
        expected: [N, classes] for each of `probes`.

    Returns:
        Infinite where shapes differ, or one is finite and the other is not.
    """
    largest = 0.0
    for batch, wanted in zip(probes(replay.graph.input.shape, sizes), expected, strict=True):
        found = replay(weights, batch).double()
        if found.shape != wanted.shape or not torch.equal(found.isfinite(), wanted.isfinite()):
            return float("inf")
        scale = wanted.double().abs().nan_to_num(0, 0, 0).max().clamp(min=torch.finfo(torch.float32).tiny)
        largest = max(largest, float((found - wanted.double()).abs().nan_to_num(0, 0, 0).max() / scale))
    return largest


def tolerated(dtype: torch.dtype) -> float:
    """The largest difference that rounding explains in a network that computes in `dtype`."""
    return max(_TOLERANCE, _ROUNDINGS * torch.finfo(dtype).eps)
