"""Make what evaluators are handed, in memory: a network, its student, a context with images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from harness.assignment.mistakes import validated
from harness.contracts.evaluator import Context, Evaluator
from harness.contracts.network import Student
from harness.errors import Problem
from harness.notebook import live_student
from harness.plugins import Plugins
from harness.testing import CLASSES, SIZE
from harness.testing.files import IMAGES, noise
from harness.values.images import Examples, Images

_LIMIT_SECONDS = 30.0


def network(seed: int) -> nn.Module:
    """See `harness.testing.tiny_network`; the same as the source that `harness.testing.files` writes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = (nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, CLASSES))
        return nn.Sequential(*layers).eval()


def student(module: nn.Module, kd_loss: Callable[..., Any] | None) -> Student:
    """See `harness.testing.student_of`."""
    shape = (3, SIZE, SIZE)
    return live_student(module, None, kd_loss, shape=shape, classes=CLASSES, plugins=Plugins.installed())


def context(evaluator: Evaluator[Any], table: Mapping[str, Any], **changes: Any) -> Context[Any]:
    """See `harness.testing.context_of`."""
    mistakes: list[Problem] = []
    options = validated(evaluator.Options, dict(table), ("evaluators", evaluator.name), mistakes)
    assert not mistakes, "\n".join(map(str, mistakes))
    fields: dict[str, Any] = {
        "options": options,
        "examples": examples(),
        "public": np.arange(IMAGES) % 2 == 0,
        "split": True,
        "audience": "instructor",
        "input_size": SIZE,
        "measured": {},
        "kd_functions": (),
        "limit_seconds": _LIMIT_SECONDS,
    }
    return Context(**{**fields, **changes})


def examples() -> Examples:
    """Random images, always the same."""
    pixels, labels = noise()
    grey = torch.from_numpy(pixels)[:, None].expand(-1, 3, -1, -1).contiguous()
    names = tuple(f"{index}.png" for index in range(len(labels)))
    return Examples(Images(grey, 3, (0.5,) * 3, (0.5,) * 3), labels.astype(np.int64), names, CLASSES)
