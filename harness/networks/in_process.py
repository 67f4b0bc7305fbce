"""Ask networks of this process as those in a sandbox are asked: for notebooks, where the code is the student's own."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from harness.errors import HarnessError
from harness.graph.limits import well_formed
from harness.graph.refusal import GraphRefused
from harness.graph.tensors import bound, perhaps_constructed, reproduced
from harness.networks.logits import refuse_undefined
from harness.networks.remote import CALIBRATION_BATCH, batches_of
from harness.values.images import Images
from harness.values.networks import ChannelOrder, Latency, TracedNetwork, Verification
from harness.worker import cost
from harness.worker.channel_pruning import without_channels
from harness.worker.failures import failure
from harness.worker.messages import LoadGraph
from harness.worker.model import Model, evaluating
from harness.worker.random_numbers import other_random_numbers
from harness.worker.recalibration import recalibrated
from harness.worker.replayed import measured
from harness.worker.trace import trace

if TYPE_CHECKING:
    from torch import Tensor

Weights = Mapping[str, "Tensor"]

_AS_MUCH_AS_IT_TAKES = LoadGraph(graph="", most_images=64, tensor_bytes=2**40, live_bytes=2**40)
"""The student's own machine sets the limits."""


@contextmanager
def running_students_code() -> Iterator[None]:
    """What the student's code raises is the outcome of the hand-in, here as in a worker.

    Raises:
        SubmissionError: it raised something.
    """
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:
        raise failure(error) from error


@dataclass
class LiveNetwork:
    """`harness.api.Network` over a module of this process."""

    model: Model
    weights: Weights
    classes: int
    traced: TracedNetwork | None = field(default=None, kw_only=True)

    def logits(self, images: Images, weights: Weights | None = None, *, batch_size: int = 64) -> Tensor:
        logits, batches = torch.empty(len(images.pixels), self.classes), batches_of(images, batch_size)
        with running_students_code():
            self._loaded(weights).forward(images.pixels, logits, batches)
            refuse_undefined(logits)
        return logits

    @running_students_code()
    def recalibrated(self, images: Images, weights: Weights | None = None) -> Weights:
        statistics = recalibrated(self._loaded(weights), images.pixels, batches_of(images, CALIBRATION_BATCH))
        return {**(self.weights if weights is None else weights), **statistics}

    @running_students_code()
    def macs(self) -> int:
        return cost.macs(self.model) if self.traced is None else self.traced.macs

    @running_students_code()
    def latency(self, weights: Weights | None = None, *, batch_size: int, seconds: float = 0.2) -> Latency:
        model = self._loaded(weights)
        evaluating(model.module)
        batch = torch.zeros(batch_size, *model.input_shape).contiguous(memory_format=model.memory_format)
        return cost.latency(model.run, batch, seconds)

    @running_students_code()
    def without_channels(self, order: ChannelOrder, keep: float, weights: Weights | None = None) -> LiveNetwork:
        pruned = without_channels(self._loaded(weights), order, keep, self.classes)
        sent = self.weights if weights is None else weights
        state = {name: each.detach() for name, each in pruned.module.state_dict().items() if name in sent}
        return LiveNetwork(pruned, copy.deepcopy(state), self.classes)

    def _loaded(self, weights: Weights | None) -> Model:
        self.model.load(self.weights if weights is None else weights)
        return self.model


def traced_in_process(
    model: Model, weights: Weights, classes: int, again: Callable[[], nn.Module] | None
) -> tuple[TracedNetwork | None, Verification]:
    """The graph of a live module, as the sandbox would make it, and whether there is one.

    Args:
        again: makes a second instance; without it, buffers and constants are taken as made by its class.
    """
    try:
        network = _traced(model, weights, classes)
    except GraphRefused as refused:
        return None, Verification(verified=False, reason=str(refused), operator=refused.operator)
    asked = perhaps_constructed(network.graph)
    constructed = asked
    if asked and again is not None:
        known = {**network.constants, **bound(network.graph, weights)}
        constructed = reproduced(asked, known, _tensors_of(again, model, classes))
    operators = len({node.operator for node in network.graph.nodes})
    return replace(network, constructed=constructed), Verification(verified=True, operators=operators)


def _traced(model: Model, weights: Weights, classes: int) -> TracedNetwork:
    model.load(weights)
    traced = trace(model.module, model.input_shape, classes)
    text = json.dumps(traced.graph)
    graph = well_formed(text.encode(), model.input_shape, classes)
    found = measured(graph, _AS_MUCH_AS_IT_TAKES.model_copy(update={"graph": text}))
    own = bound(graph, weights)
    constants = {name: each for name, each in traced.tensors.items() if name not in own}
    return TracedNetwork(graph, text, constants, macs=found.macs, packed=found.packed)


def _tensors_of(again: Callable[[], nn.Module], model: Model, classes: int) -> Weights:
    try:
        with other_random_numbers():
            other = Model(again(), model.input_shape)
        return trace(other.module, model.input_shape, classes).tensors
    except Exception:  # noqa: BLE001 - a class that cannot be built twice has made nothing for sure
        return {}
