"""Measure a network as a graph: traced once beside student code, then replayed where none runs.

    module  ── Trace ──>  graph, constants      in the student's worker
    graph   ── well formed?                     here; no operator runs
    graph   ── LoadGraph ──>  bounded on meta tensors   in the measuring worker
    graph   ── Compare ──>  same logits?        there too, beside the module's own

What passes is verified: its logits, statistics, costs and times are those of plain operators on tensors that we hold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch

from harness.errors import SubmissionError
from harness.graph.limits import well_formed
from harness.graph.reachable import raw_bytes, reaching
from harness.graph.refusal import GraphRefused
from harness.graph.shapes import Limits as GraphLimits
from harness.graph.tensors import among
from harness.graph.verification import probe_sizes, tolerated
from harness.networks.remote import RemoteNetwork
from harness.networks.session import SMALL_REPLY_BYTES, Weights, WorkerSession
from harness.networks.sharing import Rows, at_once, shared_out
from harness.sandbox import Worker
from harness.sandbox.shared_images import SharedImages
from harness.values.graph import TensorEntry
from harness.values.images import Images
from harness.values.networks import TracedNetwork, Verification
from harness.values.rules import AssignmentFile
from harness.worker.messages import AnswerProbes, Compare, LoadGraph, Logits, Trace

if TYPE_CHECKING:
    from torch import Tensor

_MOST_IMAGES = 64
_SHARE_FOR_RESULTS = 0.25
"""Of a worker's memory, for the results that are alive at once; Python, torch and the images take the rest."""


class Unverified(Exception):
    """There is no graph that a network can be measured by, and the reason."""

    def __init__(self, reason: str, operator: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.operator = reason, operator


class ReplayedNetwork(RemoteNetwork):
    """A graph in the measuring worker, which holds one at a time.

    Args:
        traced: what is measured.
        weights: as sent with every request: the module's own state names.

    Attributes:
        most_images: at a time, so that results fit into the worker's memory.
    """

    def __init__(self, measuring: Measuring, traced: TracedNetwork, weights: Weights) -> None:
        super().__init__(measuring.session, measuring.shared, measuring.rules)
        self.traced, self.weights = traced, weights
        self.most_images = _MOST_IMAGES
        self._measuring = measuring
        self._beside: list[ReplayedNetwork] = []
        self.asked()

    def make(self) -> None:
        """Have the measuring worker take in the graph, and learn what it asks for.

        Raises:
            GraphRefused: it asks for too much, or its operators do not fit.
        """
        limits = self.rules.limits
        request = LoadGraph(
            graph=self.traced.text,
            most_images=_MOST_IMAGES,
            tensor_bytes=limits.tensor_bytes,
            live_bytes=int(limits.memory_bytes * _SHARE_FOR_RESULTS),
        )
        constants, seconds = self.traced.constants, limits.build_seconds
        found = self.session.ask(request, constants, doing="taking in the graph", seconds=seconds).said
        if found.refused is not None:
            raise GraphRefused(found.refused, operator=found.operator, line=found.line)
        self.traced = replace(self.traced, macs=found.macs, packed=found.packed)
        self.most_images = max(1, found.most_images)

    def logits(self, images: Images, weights: Weights | None = None, *, batch_size: int = _MOST_IMAGES) -> Tensor:
        """See `harness.api.Network.logits`; batches are smaller where activations would not fit into memory."""
        return super().logits(images, weights, batch_size=min(batch_size, self.most_images))

    def forward(self, request: Logits, weights: Weights, descriptors: tuple[int, int]) -> None:
        """As that of every network; as many workers as are free share the images.

        Each gets its part of the time as well, so that the limit does not depend on their number.
        """
        images = request.images
        rows = shared_out(images.pixels[0], images.batch_size, self._measuring.free_workers())
        if len(rows) == 1:
            super().forward(request, weights, descriptors)
            return
        for helper in self._measuring.helpers(len(rows) - 1)[len(self._beside) :]:
            self._beside.append(ReplayedNetwork(helper, self.traced, self.weights))

        def part(network: ReplayedNetwork, its: Rows) -> None:
            RemoteNetwork.forward(network, request.model_copy(update={"rows": its}), weights, descriptors)

        at_once([partial(part, network, its) for network, its in zip((self, *self._beside), rows, strict=False)])

    def macs(self) -> int:
        """Multiply-accumulates of one image, from the operators' formulas."""
        return self.traced.macs

    def compared(self, expected: Weights, sizes: tuple[int, ...]) -> None:
        """Compare with the module's own answers.

        Raises:
            Unverified: they differ, or images of a batch are not independent.
        """
        tensors = {**{f"weight:{name}": each for name, each in self.weights.items()}, **expected}
        seconds = self.rules.limits.forward_seconds
        found = (
            self.asked().ask(Compare(sizes=sizes), tensors, doing="comparing graph and module", seconds=seconds).said
        )
        if not found.difference <= tolerated(_coarsest(self.traced.graph.tensors.values())):
            raise Unverified(
                "its graph and its module give different logits for made-up images (by "
                f"{found.difference:.1g} of the largest)"
            )
        if found.mixes_images:
            raise Unverified("an image's logits depend on the other images of its batch")

    def verification(self) -> Verification:
        """What is said of it in results."""
        operators = len({node.operator for node in self.traced.graph.nodes})
        return Verification(verified=True, digest=_digest(self.traced, self.weights), operators=operators)

    def asked(self) -> WorkerSession:
        return self.session.holding(self)


class Measuring:
    """Where graphs are measured: a worker in which no student code runs.

    Args:
        start: forks one.
        shared: images in their own order: nothing here must be kept from knowing it.
        input_shape: [channels, height, width].
        free_workers: how many may compute just now.
    """

    def __init__(
        self,
        start: Callable[[], Worker],
        shared: SharedImages,
        rules: AssignmentFile,
        input_shape: tuple[int, ...],
        free_workers: Callable[[], int] = lambda: 1,
    ) -> None:
        self.session = WorkerSession(start, lambda _: None)
        self.shared, self.rules, self.free_workers = shared, rules, free_workers
        self._start, self._input_shape = start, input_shape
        self._helpers: list[Measuring] = []

    def helpers(self, count: int) -> list[Measuring]:
        """So many others like it, each with a worker of its own."""
        while len(self._helpers) < count:
            self._helpers.append(Measuring(self._start, self.shared, self.rules, self._input_shape))
        return self._helpers[:count]

    def verified(self, module: RemoteNetwork) -> ReplayedNetwork:
        """The network of a module, as a graph that was seen to answer like it.

        A variant of the graded network is tried on few images: its code has been tried on many.

        Raises:
            Unverified: there is no such graph.
            Cancelled: the run is being stopped.
        """
        try:
            traced = self._traced(module)
            network = ReplayedNetwork(self, traced, module.weights)
            sizes = probe_sizes(network.traced.graph, network.most_images if module.variant is None else None)
            network.compared(self._answers(module, sizes), sizes)
        except GraphRefused as refused:
            raise Unverified(str(refused), refused.operator) from refused
        except SubmissionError as error:
            raise Unverified(f"it cannot be traced: {error.reason}") from error
        return network

    def network(self, traced: TracedNetwork, weights: Weights) -> ReplayedNetwork:
        """One that was verified before."""
        return ReplayedNetwork(self, traced, weights)

    def close(self) -> None:
        """Kill its workers, if any."""
        self.session.close()
        for each in self._helpers:
            each.close()

    def _traced(self, module: RemoteNetwork) -> TracedNetwork:
        classes, limits = self.rules.images.classes, self.rules.limits
        answer = module.asked().ask(
            Trace(classes=classes, batch=_MOST_IMAGES, variant=module.variant),
            module.weights,
            doing="tracing the network",
            seconds=limits.build_seconds,
            max_reply_bytes=limits.tensor_bytes + SMALL_REPLY_BYTES,
        )
        said = answer.said
        if said.graph is None:
            raise GraphRefused(said.refused or "no reason was given", operator=said.operator, line=said.line)
        graph = well_formed(
            said.graph.encode(), self._input_shape, classes, GraphLimits(tensor_bytes=limits.tensor_bytes)
        )
        reached = reaching(graph)
        needed = {name: each for name, each in graph.tensors.items() if name in reached}
        constants = {name: each for name, each in answer.tensors.items() if name in needed}
        _check_tensors(needed, module.weights, constants)
        return TracedNetwork(graph, said.graph, constants)

    def _answers(self, module: RemoteNetwork, sizes: tuple[int, ...]) -> Weights:
        return (
            module.asked()
            .ask(
                AnswerProbes(classes=self.rules.images.classes, sizes=sizes, variant=module.variant),
                module.weights,
                doing="running forward on made-up images",
                seconds=self.rules.limits.forward_seconds,
            )
            .tensors
        )


def _check_tensors(needed: Mapping[str, TensorEntry], weights: Weights, constants: Weights) -> None:
    """Whether what the graph reads is there, as the graph says it is.

    Raises:
        GraphRefused: it is not.
    """
    for name, entry in needed.items():
        own = among(weights, name, entry)
        found = own if own is not None else constants.get(name)
        if found is None or tuple(found.shape) != entry.shape:
            raise GraphRefused(f"the tensor {name!r} is not what its graph says")
        if own is None and str(found.dtype) != f"torch.{entry.dtype}":
            raise GraphRefused(f"the tensor {name!r} has another dtype than its graph says")


def _coarsest(entries: Iterable[TensorEntry]) -> torch.dtype:
    """The floating dtype of the fewest digits among tensors."""
    dtypes = {getattr(torch, each.dtype) for each in entries}
    return max(
        (each for each in dtypes if each.is_floating_point),
        key=lambda each: torch.finfo(each).eps,
        default=torch.float32,
    )


def _digest(traced: TracedNetwork, weights: Weights) -> str:
    """Of all that decides what the network computes: operators, arguments, and every tensor."""
    what = traced.graph.model_dump_json(exclude={"notes": True, "nodes": {"__all__": {"line", "module"}}})
    digest = hashlib.sha256(what.encode())
    for name, each in sorted({**weights, **traced.constants}.items()):
        digest.update(f"{name} {each.dtype} {tuple(each.shape)}".encode())
        digest.update(raw_bytes(each.detach()).numpy().tobytes())
    return f"sha256:{digest.hexdigest()}"
