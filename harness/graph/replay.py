"""Replay a graph with any weights: what a verified network computes, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from harness.graph.program import Compiler, Program
from harness.values.graph import Graph


class Replay:
    """An accepted graph, ready to run.

    The same kernels run as in the module, on the same numbers; results are equal to the last bit where batch size and
    memory layout are the same.

    Args:
        graph: as `harness.graph.limits` accepted it.
        device: where weights and images will be.
    """

    def __init__(self, graph: Graph, device: torch.device | str = "cpu") -> None:
        self.graph = graph
        self._program = Compiler(graph, torch.device(device)).program()

    def __call__(self, weights: Mapping[str, Tensor], batch: Tensor) -> Tensor:
        """The logits [N, classes] of images [N, channels, height, width], in the network's own dtype.

        Args:
            weights: the graph's tensors by name, aliases not needed.
            batch: float32, in any memory format. Any number of images: where the graph was traced at one batch size,
                they are cut into batches of that size, the last one padded with its own images.
        """
        with torch.inference_mode():
            return _in_batches(self._program, weights, batch, self.graph.input.batch)


def run(program: Program, weights: Mapping[str, Tensor], batch: Tensor) -> Tensor:
    """One pass, of as many images as the program takes."""
    slots = program.filled(weights, batch)
    for step in program.steps:
        arguments, keywords = step.taken(slots)
        step.keep(step.function(*arguments, **keywords), slots)
        for slot in step.last:
            slots[slot] = None
    output: Tensor = slots[program.output]
    return output


def _in_batches(program: Program, weights: Mapping[str, Tensor], images: Tensor, size: int | None) -> Tensor:
    if size is None or len(images) == size:
        return run(program, weights, images)
    logits = [run(program, weights, padded(each, size))[: len(each)] for each in torch.split(images, size)]
    return torch.cat(logits)


def padded(images: Tensor, size: int) -> Tensor:
    """`images` [n, …] followed by as many of them again as make `size`."""
    if len(images) == size:
        return images
    return images[torch.arange(size, device=images.device) % len(images)]
