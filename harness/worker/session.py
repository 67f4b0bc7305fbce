"""The worker's memory between requests: sources, model, and how to run it."""

from __future__ import annotations

import importlib
import random
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from harness.errors import SubmissionError
from harness.plugins import Plugins
from harness.shared_memory import mapped
from harness.worker import kd
from harness.worker.cuda import cpu_only
from harness.worker.decode import decode_weights
from harness.worker.model import Model, build
from harness.worker.source import Located, Sources, find_entry_point

if TYPE_CHECKING:
    from torch import Tensor

    from harness.api import WeightFormat
    from harness.protocol import Frame

Answer = tuple[dict[str, Any], dict[str, "Tensor"]]


class Session:
    """One submission's life in a worker.

    Args:
        folder: the submission, as the worker sees it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._formats: Mapping[str, WeightFormat] = {}
        self._sources: Sources | None = None
        self._entry: Located | None = None
        self._model: Model | None = None
        # One thread per worker: workers run side by side, and two threads each would fight for the same cores.
        torch.set_num_threads(1)

    def handle(self, frame: Frame) -> Answer:
        """Answer one request.

        Raises:
            SubmissionError: the submission cannot be used.
            BaseException: whatever the student's code raises.
        """
        with cpu_only():
            return self._answer(frame)

    def _answer(self, frame: Frame) -> Answer:
        match frame.kind:
            case "open":
                return self._open(frame.facts), {}
            case "decode":
                return self._decode(frame.facts)
            case "build":
                return self._build(frame.facts), {}
            case "describe":
                return self._built.describe(frame.tensors, frame.facts), {}
            case "logits":
                return self._logits(frame), {}
            case "kd":
                return kd.answer(self._opened, frame.facts, frame.tensors)
            case unknown:
                raise ValueError(f"unknown request {unknown!r}")

    @property
    def _opened(self) -> Sources:
        assert self._sources is not None, "the grader sends 'open' first"
        return self._sources

    @property
    def _built(self) -> Model:
        assert self._model is not None, "the grader sends 'build' first"
        return self._model

    def _open(self, facts: dict[str, Any]) -> dict[str, Any]:
        self._formats = Plugins.of(*map(importlib.import_module, facts["formats"])).weight_formats
        _seed()
        self._sources = Sources(self._folder, facts["sources"])
        if not facts["entry_points"]:
            return {"source": "", "notes": []}
        self._entry = find_entry_point(self._sources, facts["entry_points"])
        return {"source": f"{self._entry.file} line {self._entry.line}", "notes": list(self._entry.notes)}

    def _decode(self, facts: dict[str, Any]) -> Answer:
        decoded = decode_weights(
            self._folder / facts["weights"],
            self._formats,
            self._sources.resolve if self._sources else None,
            max_bytes=facts["max_bytes"],
        )
        return {
            "format": decoded.format,
            "aliases": [list(group) for group in decoded.aliases],
            "storage_elements": decoded.storage_elements,
            "bits": dict(decoded.bits),
            "notes": list(decoded.notes),
        }, dict(decoded.tensors)

    def _build(self, facts: dict[str, Any]) -> dict[str, Any]:
        if self._entry is None:
            raise SubmissionError("rejected", "there is no model to build")
        _seed()
        self._model = build(self._entry, facts["model_arguments"], tuple(facts["input_shape"]))
        return self._model.outline()

    def _logits(self, frame: Frame) -> dict[str, Any]:
        pixels_descriptor, logits_descriptor = frame.descriptors
        facts = frame.facts
        pixels = mapped(pixels_descriptor, np.uint8, tuple(facts["pixels"]))
        logits = mapped(logits_descriptor, np.float32, (len(pixels), facts["classes"]))
        model = self._built
        model.load(frame.tensors)
        model.forward(pixels, logits, facts)
        return {"notes": sorted(model.notes)}


def _seed() -> None:
    """The same start for everyone; a network whose weights come from a seed is caught elsewhere."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
