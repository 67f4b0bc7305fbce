"""Networks of this process, asked as those in a sandbox are: for notebooks, where the code is the student's own."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from harness.networks.remote import CALIBRATION_BATCH, batches_of
from harness.values.images import Images
from harness.values.networks import ChannelOrder, Latency
from harness.worker import cost
from harness.worker.channel_pruning import without_channels
from harness.worker.model import Model, evaluating
from harness.worker.recalibration import recalibrated

if TYPE_CHECKING:
    from torch import Tensor

Weights = Mapping[str, "Tensor"]


@dataclass
class LiveNetwork:
    """`harness.api.Network` over a module of this process."""

    model: Model
    weights: Weights
    classes: int

    def logits(self, images: Images, weights: Weights | None = None, *, batch_size: int = 64) -> Tensor:
        logits = torch.empty(len(images.pixels), self.classes)
        self._loaded(weights).forward(images.pixels, logits, batches_of(images, batch_size))
        return logits

    def recalibrated(self, images: Images, weights: Weights | None = None) -> Weights:
        statistics = recalibrated(self._loaded(weights), images.pixels, batches_of(images, CALIBRATION_BATCH))
        return {**(self.weights if weights is None else weights), **statistics}

    def macs(self) -> int:
        return cost.macs(self.model)

    def latency(self, weights: Weights | None = None, *, batch_size: int, seconds: float = 0.2) -> Latency:
        model = self._loaded(weights)
        evaluating(model.module)
        batch = torch.zeros(batch_size, *model.input_shape).contiguous(memory_format=model.memory_format)
        return cost.latency(model.run, batch, seconds)

    def without_channels(self, order: ChannelOrder, keep: float, weights: Weights | None = None) -> LiveNetwork:
        pruned = without_channels(self._loaded(weights), order, keep, self.classes)
        sent = self.weights if weights is None else weights
        state = {name: each.detach() for name, each in pruned.module.state_dict().items() if name in sent}
        return LiveNetwork(pruned, copy.deepcopy(state), self.classes)

    def _loaded(self, weights: Weights | None) -> Model:
        self.model.load(self.weights if weights is None else weights)
        return self.model
