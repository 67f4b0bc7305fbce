"""Students that really compute, in this process, with whatever weights they are given."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from student_fakes import FakeStudent, student_of
from torch import Tensor, nn
from torch.func import functional_call

from harness.api import Examples, Images, Latency
from harness.networks.in_process import LiveNetwork
from harness.worker.model import Model


@dataclass
class Networked(FakeStudent):
    module: nn.Module | None = None
    sizes: list[int] = field(default_factory=list)
    """Images of each call."""

    @property
    def calls(self) -> int:
        return len(self.sizes)

    def logits(self, images: Images, weights: Any = None, *, batch_size: int = 64) -> Tensor:
        self.sizes.append(len(images.pixels))
        with torch.inference_mode():
            state = self.weights if weights is None else weights
            return functional_call(self.module, dict(state), images.pixels.float() / 255, tie_weights=False).clone()

    def live(self) -> LiveNetwork:
        return LiveNetwork(Model(deepcopy(self.module), (3, 4, 4)), self.weights, 10)

    def macs(self) -> int:
        return self.live().macs()

    def latency(self, weights: Any = None, *, batch_size: int, seconds: float = 0.01) -> Latency:
        return self.live().latency(weights, batch_size=batch_size, seconds=seconds)

    def recalibrated(self, images: Images, weights: Any = None) -> Any:
        return self.live().recalibrated(images, weights)

    def without_channels(self, order: Any, keep: float, weights: Any = None) -> LiveNetwork:
        return self.live().without_channels(order, keep, weights)


def networked(module: nn.Module, folder: Path, kind: type[Networked] = Networked) -> Networked:
    """`module` through a weights file, as `student_of` does it; images are of 3 channels and 4×4 pixels."""
    student, _ = student_of(module.eval(), folder / "weights.pt", (3, 4, 4))
    return kind(student.decoded, student.weights, student.masks, student.facts, student.weights_bytes, module=module)


def images_of(classes: Iterable[int]) -> Examples:
    """One 4×4 image a class: black, with pixel number `class` white in the first channel."""
    labels = np.array(list(classes), dtype=np.int64)
    pixels = torch.zeros(len(labels), 3, 16, dtype=torch.uint8)
    pixels[torch.arange(len(labels)), 0, torch.from_numpy(labels)] = 255
    images = Images(pixels.view(-1, 3, 4, 4), 3, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    return Examples(images, labels, tuple(map(str, labels)), 10)
