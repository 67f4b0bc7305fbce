"""Remember between requests: sources, model, and how to run it."""

from __future__ import annotations

import importlib
import json
import pkgutil
import random
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from harness.errors import SubmissionError
from harness.graph.refusal import GraphRefused
from harness.graph.verification import probes
from harness.plugins import Plugins
from harness.values.base import Value
from harness.values.graph import Graph
from harness.values.networks import Latency
from harness.worker import cost
from harness.worker.building import build
from harness.worker.channel_pruning import without_channels
from harness.worker.cpu_only import cpu_only
from harness.worker.decoding import decode_weights
from harness.worker.forbidden import succeeded
from harness.worker.messages import (
    REQUESTS,
    Adopt,
    AnswerProbes,
    AskPlugin,
    Build,
    Compare,
    CountMacs,
    Decode,
    Describe,
    LoadGraph,
    Logits,
    MeasureLatency,
    Open,
    PruneChannels,
    Recalibrate,
    Request,
    Survey,
    Trace,
    TryForbidden,
)
from harness.worker.model import Model, Unfitting, evaluating
from harness.worker.pickled_modules import pickled_module
from harness.worker.random_numbers import other_random_numbers
from harness.worker.recalibration import recalibrated
from harness.worker.replayed import ReplayedModel, measured
from harness.worker.replies import (
    Adopted,
    Answered,
    Built,
    Compared,
    Counted,
    Decoded,
    Done,
    GraphLoaded,
    Opened,
    Ran,
    Traced,
    Tried,
)
from harness.worker.shared_memory import mapped
from harness.worker.sources.definitions import Located, Sources, find_entry_point
from harness.worker.survey import survey
from harness.worker.trace import trace

if TYPE_CHECKING:
    from harness.contracts.formats import WeightFormat
    from harness.contracts.sources import WorkerHalf
    from harness.worker.protocol import Frame

Tensors = dict[str, torch.Tensor]
Answer = tuple[dict[str, Any], Tensors]


class Session:
    """One submission's life in a worker.

    Args:
        folder: the submission, as the worker sees it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.input_shape: tuple[int, ...] | None = None
        """What the network is given, once it was built."""
        self._formats: Mapping[str, WeightFormat] = {}
        self._sources: Sources | None = None
        self._entry: Located | None = None
        self._model: Model | None = None
        self._variant: tuple[str, Model] | None = None
        self._replayed: ReplayedModel | None = None
        self._other_random_numbers = False

    def handle(self, frame: Frame) -> Answer:
        """Answer one request.

        Raises:
            SubmissionError: the submission cannot be used.
            BaseException: whatever the student's code raises.
        """
        request = REQUESTS[frame.kind].model_validate(frame.facts)
        if isinstance(request, Open):
            self._other_random_numbers = request.other_random_numbers
        # A trace records torch's own draws instead of making them.
        numbers = other_random_numbers(torchs=frame.kind != Trace.kind) if self._other_random_numbers else nullcontext()
        with cpu_only(), numbers:
            said, tensors = self._answer(request, frame)
        return said.model_dump(mode="json"), tensors

    def _answer(self, request: Request[Any], frame: Frame) -> tuple[Value, Tensors]:
        handlers: dict[type[Request[Any]], Callable[[Any], tuple[Value, Tensors]]] = {
            Open: lambda asked: (self._open(asked), {}),
            Decode: self._decode,
            Build: lambda asked: (self._build(asked), {}),
            Adopt: lambda asked: self._adopt(asked, frame.tensors),
            Survey: lambda asked: (survey(self._opened, asked, self._pickled_module), {}),
            Describe: lambda asked: (self._built.describe(frame.tensors, asked.masks), {}),
            Logits: lambda asked: (self._logits(asked, frame), {}),
            Recalibrate: lambda asked: (Done(), self._recalibrate(asked, frame)),
            CountMacs: lambda asked: (Counted(macs=cost.macs(self._module(asked.variant))), {}),
            MeasureLatency: lambda asked: (self._latency(asked, frame.tensors), {}),
            Trace: lambda asked: self._trace(asked, frame.tensors),
            LoadGraph: lambda asked: (self._load_graph(asked, frame.tensors), {}),
            AnswerProbes: lambda asked: (Done(), self._answer_probes(asked, frame.tensors)),
            Compare: lambda asked: (self._compare(asked, frame.tensors), {}),
            PruneChannels: lambda asked: (Done(), self._prune_channels(asked, frame.tensors)),
            AskPlugin: lambda asked: self._ask_plugin(asked, frame.tensors),
            TryForbidden: lambda asked: (Tried(possible=tuple(succeeded(asked))), {}),
        }
        return handlers[type(request)](request)

    @property
    def _opened(self) -> Sources:
        assert self._sources is not None, "the grader sends 'open' first"
        return self._sources

    @property
    def _built(self) -> Model:
        assert self._model is not None, "the grader sends 'build' first"
        return self._model

    def _module(self, variant: str | None) -> Model:
        """The module a request is about: the submission's own, or the one variant that is held."""
        if variant is None:
            return self._built
        assert self._variant is not None, "the grader makes a variant before it asks for it"
        name, model = self._variant
        assert name == variant, f"holds {name}, not {variant}"
        return model

    def _asked(self, variant: str | None, weights: Tensors) -> Model | ReplayedModel:
        """What a request is about, with the weights in it: the graph where there is one, else the module."""
        model = self._replayed or self._module(variant)
        model.load(weights)
        return model

    def _open(self, request: Open) -> Opened:
        self._formats = Plugins.of(*map(importlib.import_module, request.formats)).weight_formats
        self._seed()
        self._sources = Sources(self._folder, request.sources)
        if not request.entry_points:
            sources = self._sources
            return Opened(source="", literal_bytes=sources.literal_bytes(), longest_literal=sources.longest_literal())
        self._entry = find_entry_point(self._sources, request.entry_points)
        return Opened(source=f"{self._entry.file} line {self._entry.line}", notes=tuple(self._entry.notes))

    def _decode(self, request: Decode) -> tuple[Decoded, Tensors]:
        decoded = decode_weights(
            self._folder / request.weights,
            self._formats,
            self._sources.resolve if self._sources else None,
            max_bytes=request.max_bytes,
        )
        said = Decoded(
            format=decoded.format,
            aliases=decoded.aliases,
            storage_elements=decoded.storage_elements,
            bits=dict(decoded.bits),
            versions=dict(decoded.versions),
            notes=tuple(decoded.notes),
        )
        return said, dict(decoded.tensors)

    def _build(self, request: Build) -> Built:
        self.input_shape = request.input_shape
        entry = find_entry_point(self._opened, request.entry_points) if request.entry_points else self._entry
        self._seed()
        if request.pickled_in:
            model = Model(self._pickled_module(request.pickled_in), request.input_shape)
        elif entry is not None:
            model = build(entry, request.model_arguments, request.input_shape)
        else:
            raise SubmissionError("rejected", "there is no model to build", "name one: entry_point = …")
        if request.variant is None:
            self._model = model
        else:
            self._variant = request.variant, model
        return model.outline()

    def _adopt(self, request: Adopt, tensors: Tensors) -> tuple[Adopted, Tensors]:
        model = self._module(request.variant)
        try:
            return Adopted(fits=True), model.adopt(tensors, request.versions)
        except Unfitting as error:
            return Adopted(fits=False, refused=error.reason), {}

    def _pickled_module(self, weights: str) -> torch.nn.Module:
        return pickled_module(self._folder / weights, self._opened.resolve)

    def _logits(self, request: Logits, frame: Frame) -> Ran:
        pixels_descriptor, logits_descriptor = frame.descriptors
        pixels = mapped(pixels_descriptor, np.uint8, request.images.pixels)
        logits = mapped(logits_descriptor, np.float32, (len(pixels), request.classes))
        model = self._asked(request.variant, frame.tensors)
        rows = slice(*request.rows or (None,))
        model.forward(pixels[rows], logits[rows], request.images)
        return Ran(notes=tuple(sorted(model.notes)))

    def _recalibrate(self, request: Recalibrate, frame: Frame) -> Tensors:
        (pixels_descriptor,) = frame.descriptors
        model = self._asked(request.variant, frame.tensors)
        pixels = mapped(pixels_descriptor, np.uint8, request.images.pixels)
        if isinstance(model, ReplayedModel):
            return model.recalibrated(pixels, request.images)
        return recalibrated(model, pixels, request.images)

    def _latency(self, request: MeasureLatency, weights: Tensors) -> Latency:
        model = self._asked(request.variant, weights)
        batch = torch.zeros(request.batch_size, *model.input_shape).contiguous(memory_format=model.memory_format)
        if isinstance(model, Model):
            evaluating(model.module)
        return cost.latency(model.run, batch, request.seconds)

    def _trace(self, request: Trace, weights: Tensors) -> tuple[Traced, Tensors]:
        model = self._module(request.variant)
        model.load(weights)
        try:
            traced = trace(model.module, model.input_shape, request.classes, request.batch)
        except GraphRefused as refused:
            return Traced(refused=refused.reason, operator=refused.operator, line=refused.line), {}
        entries = traced.graph["tensors"]
        unknown = {name for name, entry in entries.items() if not {name, *entry["aliases"]} & set(weights)}
        return Traced(graph=json.dumps(traced.graph)), {name: traced.tensors[name] for name in sorted(unknown)}

    def _answer_probes(self, request: AnswerProbes, weights: Tensors) -> Tensors:
        model = self._module(request.variant)
        model.load(weights)
        evaluating(model.module)
        answers = {}
        for number, batch in enumerate(probes(model.input_shape, request.sizes)):
            output = model.run(batch.contiguous(memory_format=model.memory_format))
            rows = model.rows(output, len(batch), request.classes)
            with torch._C.DisableTorchFunctionSubclass():  # noqa: SLF001 - the class of a tensor may be the student's
                answers[f"logits:{number}"] = rows.as_subclass(torch.Tensor).detach()
        return answers

    def _load_graph(self, request: LoadGraph, constants: Tensors) -> GraphLoaded:
        self._replayed = None
        graph = Graph.model_validate_json(request.graph)
        try:
            loaded = measured(graph, request)
        except GraphRefused as refused:
            return GraphLoaded(refused=refused.reason, operator=refused.operator, line=refused.line)
        self._replayed = ReplayedModel(graph, constants)
        return loaded

    def _compare(self, request: Compare, tensors: Tensors) -> Compared:
        assert self._replayed is not None, "the grader sends a graph first"
        weights = {name.removeprefix("weight:"): each for name, each in tensors.items() if name.startswith("weight:")}
        self._replayed.load(weights)
        expected = [tensors[f"logits:{number}"] for number in range(len(request.sizes))]
        return self._replayed.compared(expected, request.sizes)

    def _ask_plugin(self, request: AskPlugin, tensors: Tensors) -> tuple[Answered, Tensors]:
        # Nothing of the student's has run in this worker, and nothing of theirs is on Python's path.
        half: WorkerHalf = pkgutil.resolve_name(request.half)
        facts, answered = half(self._opened, request.facts, tensors)
        return Answered(facts=facts), answered

    def _prune_channels(self, request: PruneChannels, weights: Tensors) -> Tensors:
        self._built.load(weights)
        pruned = without_channels(self._built, request.order, request.keep, request.classes)
        self._variant = request.variant, pruned
        state = torch.nn.Module.state_dict(pruned.module)
        return {name: each.detach() for name, each in state.items() if isinstance(each, torch.Tensor)}

    def _seed(self) -> None:
        """The same start for everyone; a network whose weights come from a seed is caught elsewhere."""
        if not self._other_random_numbers:
            random.seed(0)
            np.random.seed(0)
            torch.manual_seed(0)
