"""Recalibrate normalisation: new running statistics, as the changed weights produce them on training images."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase

from harness.worker.messages import Batches
from harness.worker.model import Model, evaluating, modules_of


def recalibrated(model: Model, pixels: Tensor, images: Batches) -> dict[str, Tensor]:
    """The statistics that normalisation gathers over `pixels` from nothing, with the weights that are loaded.

    BatchNorm, and InstanceNorm where it keeps any.
    The cumulative average of all batches (`momentum=None`), as in Izmailov et al. 2018, arXiv:1803.05407, section 3.2;
    everything else stays in eval mode. The model keeps the statistics it had.

    Args:
        pixels: uint8 [N, c, H, W].
        images: how to cut and normalise them. Batches differ by one image at most, so that they weigh the same.

    Returns:
        `running_mean`, `running_var` and `num_batches_tracked` by their names in the state; empty without
        such layers.
    """
    layers = [
        each for each in modules_of(model.module) if isinstance(each, _NormBase) and each.running_mean is not None
    ]
    if not layers:
        return {}
    owned = {id(buffer) for layer in layers for buffer in _statistics(layer)}
    state = nn.Module.state_dict(model.module, keep_vars=True)
    named = {name: each for name, each in state.items() if id(each) in owned}
    before = {name: each.clone() for name, each in named.items()}
    momenta = [layer.momentum for layer in layers]
    try:
        _gather(model, layers, pixels, images)
        return {name: each.clone() for name, each in named.items()}
    finally:
        evaluating(model.module)
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        for name, each in named.items():
            each.copy_(before[name])


def _gather(model: Model, layers: list[_NormBase], pixels: Tensor, images: Batches) -> None:
    evaluating(model.module)
    hooks = []
    for layer in layers:
        _NormBase.reset_running_stats(layer)
        layer.momentum = None
        layer.training = True
        if not isinstance(layer, _BatchNorm):  # to InstanceNorm no momentum means that nothing is kept
            hooks.append(layer.register_forward_pre_hook(_Averaging()))
    parts = max(1, -(-len(pixels) // images.batch_size))
    try:
        for batch in model.batches(torch.tensor_split(pixels, parts), images):
            model.run(batch)
    finally:
        for hook in hooks:
            hook.remove()


class _Averaging:
    """Make a layer's momentum that of a cumulative average: 1 for the first batch, 1/2 for the second, …."""

    def __init__(self) -> None:
        self._uses = 0

    def __call__(self, layer: nn.Module, _: object) -> None:
        self._uses += 1
        layer.momentum = 1 / self._uses  # type: ignore[assignment]


def _statistics(layer: _NormBase) -> list[Tensor]:
    buffers = (layer.running_mean, layer.running_var, layer.num_batches_tracked)
    return [each for each in buffers if each is not None]
