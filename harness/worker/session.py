"""The worker's memory between requests: sources, model, and how to run it."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from harness.errors import SubmissionError
from harness.plugins import Plugins
from harness.worker import channel_pruning as channels
from harness.worker import cost as speed
from harness.worker.cpu_only import cpu_only
from harness.worker.decoding import decode_weights
from harness.worker.forbidden import succeeded
from harness.worker.kd import answer as kd
from harness.worker.model import Model, build
from harness.worker.recalibration import recalibrated
from harness.worker.shared_memory import mapped
from harness.worker.sources.definitions import Located, Sources, find_entry_point

if TYPE_CHECKING:
    from torch import Tensor

    from harness.api.formats import WeightFormat
    from harness.worker.protocol import Frame

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
        self._variant: tuple[str, Model] | None = None

    def handle(self, frame: Frame) -> Answer:
        """Answer one request.

        Raises:
            SubmissionError: the submission cannot be used.
            BaseException: whatever the student's code raises.
        """
        with cpu_only():
            return self._answer(frame)

    def _answer(self, frame: Frame) -> Answer:
        handlers: Mapping[str, Callable[[Frame], Answer]] = {
            "open": lambda frame: (self._open(frame.facts), {}),
            "decode": lambda frame: self._decode(frame.facts),
            "build": lambda frame: (self._build(frame.facts), {}),
            "describe": lambda frame: (self._built.describe(frame.tensors, frame.facts), {}),
            "logits": lambda frame: (self._logits(frame), {}),
            "kd": lambda frame: kd.answer(self._opened, frame.facts, frame.tensors),
            "prune_channels": self._prune_channels,
            "recalibrate": lambda frame: ({}, self._recalibrate(frame)),
            "macs": lambda frame: ({"macs": speed.macs(self._asked(frame.facts))}, {}),
            "probe": lambda frame: ({"possible": succeeded(frame.facts)}, {}),
            "latency": lambda frame: (self._latency(frame), {}),
        }
        if frame.kind not in handlers:
            raise ValueError(f"unknown request {frame.kind!r}")
        return handlers[frame.kind](frame)

    @property
    def _opened(self) -> Sources:
        assert self._sources is not None, "the grader sends 'open' first"
        return self._sources

    @property
    def _built(self) -> Model:
        assert self._model is not None, "the grader sends 'build' first"
        return self._model

    def _asked(self, facts: Mapping[str, Any]) -> Model:
        """The network a request is about: the submission's own, or the one variant that is held."""
        wanted = facts.get("variant")
        if wanted is None:
            return self._built
        assert self._variant is not None, "the grader makes a variant before it asks for it"
        name, model = self._variant
        assert name == wanted, f"holds {name}, not {wanted}"
        return model

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
        entry = find_entry_point(self._opened, facts["entry_points"]) if facts.get("entry_points") else self._entry
        if entry is None:
            raise SubmissionError("rejected", "there is no model to build")
        _seed()
        model = build(entry, facts["model_arguments"], tuple(facts["input_shape"]))
        if "variant" in facts:
            self._variant = facts["variant"], model
        else:
            self._model = model
        return model.outline()

    def _prune_channels(self, frame: Frame) -> Answer:
        facts = frame.facts
        model = self._built
        model.load(frame.tensors)
        pruned = channels.without_channels(model, facts["method"], facts["keep"], facts["classes"])
        self._variant = facts["variant"], pruned
        state = torch.nn.Module.state_dict(pruned.module)
        return {}, {name: each.detach() for name, each in state.items() if isinstance(each, torch.Tensor)}

    def _recalibrate(self, frame: Frame) -> dict[str, Tensor]:
        (pixels_descriptor,) = frame.descriptors
        model = self._asked(frame.facts)
        model.load(frame.tensors)
        pixels = mapped(pixels_descriptor, np.uint8, tuple(frame.facts["pixels"]))
        return recalibrated(model, pixels, frame.facts)

    def _latency(self, frame: Frame) -> dict[str, float]:
        model = self._asked(frame.facts)
        model.load(frame.tensors)
        return speed.latency(model, frame.facts)

    def _logits(self, frame: Frame) -> dict[str, Any]:
        pixels_descriptor, logits_descriptor = frame.descriptors
        facts = frame.facts
        pixels = mapped(pixels_descriptor, np.uint8, tuple(facts["pixels"]))
        logits = mapped(logits_descriptor, np.float32, (len(pixels), facts["classes"]))
        model = self._asked(facts)
        model.load(frame.tensors)
        model.forward(pixels, logits, facts)
        return {"notes": sorted(model.notes)}


def _seed() -> None:
    """The same start for everyone; a network whose weights come from a seed is caught elsewhere."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
