"""Students without a sandbox: what evaluators get, from modules and files of a test's making."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness_formats import containers as harness_formats
from torch import Tensor, nn

from harness.api import (
    Context,
    Evaluation,
    Examples,
    Images,
    Judges,
    Metric,
    ModelFacts,
    Options,
    Requirements,
    TracedNetwork,
    Verification,
)
from harness.networks.key_matching import match_keys
from harness.networks.weights import for_model, live_masks
from harness.plugins import Plugins
from harness.worker.decoding import decode_weights
from harness.worker.model import Model


@dataclass
class FakeStudent:
    decoded: Mapping[str, Tensor] = field(default_factory=dict)
    weights: Mapping[str, Tensor] = field(default_factory=dict)
    masks: Mapping[str, Tensor] = field(default_factory=dict)
    facts: ModelFacts = None
    weights_bytes: int = 0
    claims: Mapping[str, float] = field(default_factory=dict)
    claimed_curves: Mapping[str, Any] = field(default_factory=dict)
    traced: TracedNetwork | None = None
    verification: Verification = field(default_factory=lambda: Verification(verified=False))
    answer: Callable[[Images], Tensor] | None = None

    def logits(self, images: Images, weights: Any = None, *, batch_size: int = 64) -> Tensor:
        return self.answer(images)


def student_of(
    module: nn.Module, file: Path, shape: tuple[int, ...], built: nn.Module | None = None
) -> tuple[FakeStudent, Model]:
    """`module` saved as a state_dict, decoded, and put into `built` (default: itself) by the worker's own code."""
    torch.save(module.state_dict(), file)
    decoded = decode_weights(file, Plugins.of(harness_formats).weight_formats)
    model = Model(module if built is None else built, shape)
    outline = model.outline()
    state = outline.state
    tensors, _ = match_keys(decoded.tensors, state)
    masks, weights = live_masks(tensors), for_model(tensors, state)
    outside = {name: mask for name, mask in masks.items() if name in state}
    described = model.describe({**weights, **{f"{name}_mask": mask for name, mask in outside.items()}}, tuple(outside))
    facts = ModelFacts.model_validate(
        {
            **outline.model_dump(exclude={"tied", "versions"}),
            **described.model_dump(),
            "source": "model.py line 1",
            "weights_format": decoded.format,
            "aliases": decoded.aliases,
            "storage_elements": decoded.storage_elements,
        }
    )
    return FakeStudent(tensors, weights, masks, facts, file.stat().st_size), model


def examples(labels: list[int], classes: int = 10, size: int = 4) -> Examples:
    pixels = torch.zeros(len(labels), 3, size, size, dtype=torch.uint8)
    images = Images(pixels, 3, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    names = tuple(str(index) for index in range(len(labels)))
    return Examples(images, np.array(labels, dtype=np.int64), names, classes)


def context(options: Options | None = None, **changes: Any) -> Context:
    graded = changes.pop("examples", None) or examples([0, 1])
    fields: dict[str, Any] = {
        "options": options or Options(),
        "examples": graded,
        "public": np.ones(len(graded.labels), dtype=bool),
        "split": False,
        "audience": "instructor",
        "input_size": 4,
        "measured": {},
        "kd_functions": (),
        "limit_seconds": 10.0,
    }
    return Context(**{**fields, **changes})


def evaluated(
    evaluator: Any,
    student: Any,
    given: Context,
    *,
    baselines: Mapping[str, float] | None = None,
    stand_in: bool = False,
) -> Evaluation:
    """What it finds, with the checks that it judges by that, as it is kept."""
    found = evaluator.evaluate(student, given)
    if not isinstance(evaluator, Judges):
        return found
    kept = Evaluation.model_validate_json(found.model_dump_json())
    required = Requirements(given.options, baselines or {}, given.split, stand_in)
    return found.model_copy(update={"checks": (*found.checks, *evaluator.judge(kept, required))})


def parameters(value: int) -> Metric:
    return Metric(value=value, unit="parameters", higher_is_better=False)
