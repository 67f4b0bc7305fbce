"""Recalibrate normalisation: the running statistics that changed weights really produce on training images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from harness.graph.program import Compiler, Program, Step
from harness.graph.replay import run
from harness.values.graph import Graph, Stored

_BATCH_NORM = "aten._native_batch_norm_legit_no_training.default"
_INSTANCE_NORM = "aten.instance_norm.default"
_MEAN, _VARIANCE = 3, 4  # positions of the running statistics among the arguments of either


def recalibrated(
    graph: Graph, weights: Mapping[str, Tensor], batches: Iterable[Tensor], device: torch.device | str = "cpu"
) -> dict[str, Tensor]:
    """The statistics that normalisation gathers over `batches` from nothing, with these weights.

    BatchNorm, and InstanceNorm where it keeps any.

    The cumulative average of all batches, as torch's BatchNorm with `momentum=None` keeps it and Izmailov et al. 2018,
    arXiv:1803.05407, section 3.2 describe; each layer normalises with the statistics of the batch meanwhile, everything
    else stays as it is when evaluating. A layer that is used several times in a pass counts each use.

    Args:
        weights: the graph's tensors by name; they keep their values.
        batches: float32 [N, channels, height, width], all of a size or different by one image, so that they weigh the
            same; of exactly the graph's batch where it has a fixed one.

    Returns:
        `running_mean` and `running_var` of every layer by the tensor's name; empty without such layers.
    """
    program = Compiler(graph, torch.device(device)).program()
    gathering = _Statistics()
    steps = tuple(gathering.step(each) if gathers(each) else each for each in program.steps)
    if not gathering.names:
        return {}
    with torch.inference_mode():
        for batch in batches:
            run(Program(steps, program.tensors, program.output, program.size), weights, batch)
    return gathering.found


def gathers(step: Step) -> bool:
    """Whether a step normalises by statistics that are tensors of the graph."""
    arguments = step.node.arguments
    return step.node.operator in {_BATCH_NORM, _INSTANCE_NORM} and all(
        isinstance(arguments[at], Stored) for at in (_MEAN, _VARIANCE)
    )


class _Statistics:
    def __init__(self) -> None:
        self.names: set[str] = set()
        self.found: dict[str, Tensor] = {}
        self._uses: dict[str, int] = {}

    def step(self, step: Step) -> Step:
        """The step, normalising with the statistics of the batch and keeping their average."""
        mean, variance = (step.node.arguments[at] for at in (_MEAN, _VARIANCE))
        assert isinstance(mean, Stored)
        assert isinstance(variance, Stored)
        names = (mean.tensor, variance.tensor)
        self.names |= set(names)

        def kept(mean: Tensor, variance: Tensor) -> dict[str, Any]:
            self._uses[names[0]] = uses = self._uses.get(names[0], 0) + 1
            return {
                "running_mean": self.found.setdefault(names[0], torch.zeros_like(mean)),
                "running_var": self.found.setdefault(names[1], torch.ones_like(variance)),
                "momentum": 1 / uses,
            }

        def batch(images: Tensor, weight: Tensor | None, bias: Tensor | None, *rest: Any) -> tuple[Tensor]:
            mean, variance, _, epsilon = rest
            options = kept(mean, variance) | {"weight": weight, "bias": bias, "eps": epsilon}
            return (functional.batch_norm(images, training=True, **options),)

        def instance(images: Tensor, weight: Tensor | None, bias: Tensor | None, *rest: Any) -> Tensor:
            mean, variance, _, _, epsilon, *_ = rest
            options = kept(mean, variance) | {"weight": weight, "bias": bias, "eps": epsilon}
            return functional.instance_norm(images, use_input_stats=True, **options)

        function = batch if step.node.operator == _BATCH_NORM else instance
        return replace(step, function=function)
