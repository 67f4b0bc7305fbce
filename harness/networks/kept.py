"""Measure a hand-in from what was kept of it: its graph and tensors. Its code runs only when someone asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness.contracts.network import HandedInNetwork, Network, Student
from harness.contracts.sources import WorkerHalf
from harness.networks.intake import Intake
from harness.values.images import Images
from harness.values.networks import (
    ChannelOrder,
    Checkpoint,
    Latency,
    ModelFacts,
    Reply,
    TracedNetwork,
    Verification,
)

if TYPE_CHECKING:
    from torch import Tensor

    from harness.submission.settings import Settings

    Weights = Mapping[str, Tensor]


class KeptStudent:
    """`harness.api.Student` of a verified network, without its process.

    Args:
        weights_bytes: size of the weights file as handed in.
        settings: what submission.toml says.
        traced: of `intake`, accepted again.
        network: makes what measures its graph.
        live: opens the hand-in in a sandbox, for what cannot be asked of a graph: code beside the network, further
            files, channels removed from modules.
    """

    def __init__(
        self,
        intake: Intake,
        *,
        weights_bytes: int,
        settings: Settings,
        traced: TracedNetwork,
        network: Callable[[], Network],
        live: Callable[[], Student],
    ) -> None:
        self.weights, self.decoded, self.masks = intake.weights, intake.decoded, intake.masks
        self.facts: ModelFacts = intake.said.facts
        self.verification: Verification = intake.said.verification
        self.traced: TracedNetwork | None = traced
        self._made, self._live = network, live
        self.weights_bytes, self._settings = weights_bytes, settings

    @cached_property
    def _network(self) -> Network:
        return self._made()

    @property
    def claims(self) -> Mapping[str, float]:
        return self._settings.claims.figures

    @property
    def claimed_curves(self) -> Mapping[str, tuple[tuple[float, float], ...]]:
        return self._settings.claims.curves

    @property
    def checkpoints(self) -> Mapping[str, tuple[Checkpoint, ...]]:
        return self._settings.checkpoints

    @property
    def methods(self) -> Mapping[str, Checkpoint]:
        return self._settings.methods

    @property
    def teacher(self) -> Checkpoint | None:
        return self._settings.teacher

    def logits(self, images: Images, weights: Weights | None = None, *, batch_size: int = 64) -> Tensor:
        return self._network.logits(images, weights, batch_size=batch_size)

    def recalibrated(self, images: Images, weights: Weights | None = None) -> Weights:
        return self._network.recalibrated(images, weights)

    def macs(self) -> int:
        return self._network.macs()

    def latency(self, weights: Weights | None = None, *, batch_size: int, seconds: float = 0.2) -> Latency:
        return self._network.latency(weights, batch_size=batch_size, seconds=seconds)

    def without_channels(self, order: ChannelOrder, keep: float, weights: Weights | None = None) -> Network:
        return self._live().without_channels(order, keep, weights)

    def load(self, checkpoint: Checkpoint) -> HandedInNetwork:
        return self._live().load(checkpoint)

    def again(self) -> AbstractContextManager[Student]:
        return self._live().again()

    def ask(
        self, half: WorkerHalf, facts: Mapping[str, Any], tensors: Weights, *, doing: str, limit_seconds: float
    ) -> Reply:
        return self._live().ask(half, facts, tensors, doing=doing, limit_seconds=limit_seconds)
