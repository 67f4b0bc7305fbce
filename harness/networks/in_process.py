"""Networks of this process, asked as those in a sandbox are: for notebooks, where the code is the student's own."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from harness.values.images import Images
from harness.values.networks import ChannelOrder, Latency
from harness.worker import channel_pruning as channels
from harness.worker import cost as speed
from harness.worker.model import Model
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
        facts = {"classes": self.classes, "mean": images.mean, "std": images.std, "batch_size": batch_size}
        self._loaded(weights).forward(images.pixels, logits, facts)
        return logits

    def recalibrated(self, images: Images, weights: Weights | None = None) -> Weights:
        facts = {"mean": images.mean, "std": images.std, "batch_size": 128}
        statistics = recalibrated(self._loaded(weights), images.pixels, facts)
        return {**(self.weights if weights is None else weights), **statistics}

    def macs(self) -> int:
        return speed.macs(self.model)

    def latency(self, weights: Weights | None = None, *, batch_size: int, seconds: float = 0.2) -> Latency:
        facts = {"batch_size": batch_size, "seconds": seconds}
        return Latency.model_validate(speed.latency(self._loaded(weights), facts))

    def without_channels(self, order: ChannelOrder, keep: float, weights: Weights | None = None) -> LiveNetwork:
        pruned = channels.without_channels(self._loaded(weights), order, keep, self.classes)
        sent = self.weights if weights is None else weights
        state = {name: each.detach() for name, each in pruned.module.state_dict().items() if name in sent}
        return LiveNetwork(pruned, copy.deepcopy(state), self.classes)

    def _loaded(self, weights: Weights | None) -> Model:
        self.model.load(self.weights if weights is None else weights)
        return self.model
