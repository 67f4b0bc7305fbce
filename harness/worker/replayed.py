"""Measure a graph as a module is measured; no student code runs in this process."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from harness.graph.cost import batch_size, cost
from harness.graph.independence import mixes_images
from harness.graph.limits import check_shapes
from harness.graph.packed import takes_apart, unpacked
from harness.graph.recalibration import recalibrated
from harness.graph.replay import Replay
from harness.graph.shapes import Limits
from harness.graph.tensors import bound
from harness.graph.verification import difference
from harness.values.graph import Graph
from harness.worker.messages import Batches, LoadGraph
from harness.worker.model import normalised
from harness.worker.replies import Compared, GraphLoaded


def measured(graph: Graph, allowed: LoadGraph) -> GraphLoaded:
    """What a graph asks for.

    Raises:
        GraphRefused: an operator does not fit, or more than is allowed.
    """
    limits = Limits(tensor_bytes=allowed.tensor_bytes, live_bytes=allowed.live_bytes)
    passes = check_shapes(graph, 2, limits)
    return GraphLoaded(
        macs=cost(graph, passes[0]).macs,
        most_images=batch_size(graph, allowed.live_bytes, allowed.most_images, passes),
        packed=unpacked(graph, passes[0]) if takes_apart(graph) else {},
    )


class ReplayedModel:
    """A graph with weights in it; the counterpart of `harness.worker.model.Model`.

    Args:
        graph: as the grader accepted it.
        constants: the tensors that are not among the weights, by the graph's names.
    """

    def __init__(self, graph: Graph, constants: Mapping[str, Tensor]) -> None:
        self._graph, self._constants = graph, constants
        self.input_shape = graph.input.shape
        self.memory_format = torch.channels_last
        self.notes: set[str] = set()
        self._replay = Replay(graph)
        self._tensors: dict[str, Tensor] = dict(constants)

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Put the grader's weights in, in the network's own dtypes."""
        self._tensors = {**self._constants, **bound(self._graph, weights)}

    def forward(self, pixels: Tensor, logits: Tensor, images: Batches) -> None:
        """Fill `logits` [N, classes] with the network's answers for uint8 `pixels` [N, c, H, W]."""
        start = 0
        for batch in normalised(torch.split(pixels, images.batch_size), images, self.memory_format):
            logits[start : start + len(batch)] = self._replay(self._tensors, batch)
            start += len(batch)

    def recalibrated(self, pixels: Tensor, images: Batches) -> dict[str, Tensor]:
        """See `harness.graph.recalibration`; batches differ by one image at most, so that they weigh the same."""
        parts = torch.tensor_split(pixels, max(1, -(-len(pixels) // images.batch_size)))
        batches = normalised(parts, images, self.memory_format)
        return recalibrated(self._graph, self._tensors, batches)

    def run(self, batch: Tensor) -> Tensor:
        """The logits of one batch."""
        return self._replay(self._tensors, batch)

    def compared(self, expected: list[Tensor], sizes: tuple[int, ...]) -> Compared:
        """How far its logits are from the module's own, and whether images of a batch are independent."""
        found = difference(self._replay, self._tensors, expected, sizes)
        return Compared(difference=found, mixes_images=mixes_images(self._replay, self._tensors))
