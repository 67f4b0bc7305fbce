"""What a sandboxed network can be asked beside its logits, and networks made from the student's own.

All that comes back is a claim of a process that ran student code. What can be checked is: statistics are all that
recalibration may change, and a network with fewer channels holds values that were sent and no others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

import torch

from harness.errors import SubmissionError
from harness.networks.weights import is_statistic
from harness.sandbox.shared_images import SharedImages
from harness.values.images import Images
from harness.values.networks import Latency, Reply

if TYPE_CHECKING:
    from torch import Tensor

    from harness.assignment.loading import Assignment
    from harness.submission.reading import Submission

from harness.networks.session import SMALL_REPLY_BYTES, _nonsense, nonsense_refused

_BATCH = 128
_MAX_MACS = 10**15

Weights = Mapping[str, "Tensor"]


class RemoteNetwork(ABC):
    """A network behind `request`; see `harness.api.Network` for the contracts."""

    weights: Weights
    assignment: Assignment
    shared: SharedImages

    @abstractmethod
    def request(
        self,
        request: str,
        facts: Mapping[str, Any],
        tensors: Weights,
        *,
        doing: str,
        seconds: float,
        max_reply_bytes: int = SMALL_REPLY_BYTES,
        descriptors: tuple[int, ...] = (),
    ) -> Reply:
        """Send to the worker that holds the network."""

    def recalibrated(self, images: Images, weights: Weights | None = None) -> Mapping[str, Tensor]:
        """See `harness.api.Network.recalibrated`."""
        sent = self.weights if weights is None else weights
        pixels, _ = self.shared.of(images)
        facts = {
            "pixels": list(images.pixels.shape), "mean": images.mean, "std": images.std, "batch_size": _BATCH
        }  # fmt: skip
        reply = self.request(
            "recalibrate",
            facts,
            sent,
            doing="gathering BatchNorm statistics",
            seconds=self.assignment.rules.limits.forward_seconds,
            max_reply_bytes=self.assignment.rules.limits.tensor_bytes,
            descriptors=(pixels,),
        )
        _check_statistics(reply.tensors, sent)
        if not reply.tensors and any(name.endswith("running_mean") for name in sent):
            raise SubmissionError("rejected", "its BatchNorm layers cannot be found: is the network compiled?")
        return {**sent, **reply.tensors}

    def macs(self) -> int:
        """See `harness.api.Network.macs`."""
        seconds = self.assignment.rules.limits.build_seconds
        reply = self.request("macs", {}, {}, doing="counting multiply-accumulates", seconds=seconds)
        said = reply.facts.get("macs")
        if type(said) is not int or not 0 <= said <= _MAX_MACS:
            raise _nonsense()
        return said

    def latency(self, weights: Weights | None = None, *, batch_size: int, seconds: float = 0.2) -> Latency:
        """See `harness.api.Network.latency`."""
        reply = self.request(
            "latency",
            {"batch_size": batch_size, "seconds": seconds},
            self.weights if weights is None else weights,
            doing=f"timing batches of {batch_size}",
            seconds=self.assignment.rules.limits.forward_seconds + seconds,
        )
        with nonsense_refused():
            return Latency.model_validate(reply.facts)


class Owner(Protocol):
    """The student that a derived network was made from: it holds the worker."""

    assignment: Assignment
    shared: SharedImages
    submission: Submission

    @property
    def construction(self) -> dict[str, Any]:
        """How the worker builds the network."""

    def hold(self, variant: Variant) -> None:
        """Make `variant` in the worker unless it is what the worker holds already."""

    def request(self, request: str, facts: Mapping[str, Any], tensors: Weights, **rest: Any) -> Reply:
        """Send to the worker, or to a new one when the last has died."""

    def forward(self, images: Images, weights: Weights, batch_size: int, request: Callable[..., Reply]) -> Tensor:
        """The logits of the network that `request` asks."""


class Variant(RemoteNetwork):
    """A network made from the student's own, in the same worker.

    The worker holds one at a time; one that was displaced, or went with its worker, is made again when it is asked.

    Args:
        make: has the worker make it under the given name, and returns its weights, checked.

    Raises:
        SubmissionError: it could not be made.
    """

    def __init__(self, student: Owner, make: Callable[[str], Weights]) -> None:
        self.assignment, self.shared = student.assignment, student.shared
        self.name = uuid4().hex
        self._student, self._make = student, make
        self.weights: Weights = {}
        student.hold(self)

    def make(self) -> None:
        """Make it in a worker that does not hold it.

        Raises:
            SubmissionError: it could not be made, or did not become what it was before.
        """
        made = self._make(self.name)
        if self.weights and not _equal(made, self.weights):
            raise SubmissionError("crashed", "the same change of the network, made twice, gave two networks")
        self.weights = made

    def request(self, request: str, facts: Mapping[str, Any], tensors: Weights, **rest: Any) -> Reply:
        """See `RemoteNetwork.request`."""
        self._student.hold(self)
        return self._student.request(request, {**facts, "variant": self.name}, tensors, **rest)

    def logits(self, images: Images, weights: Weights | None = None, *, batch_size: int = 64) -> Tensor:
        """See `harness.api.Network.logits`."""
        return self._student.forward(images, self.weights if weights is None else weights, batch_size, self.request)


def checked_cut(cut: Weights, sent: Weights) -> Weights:
    """What a worker says is left of `sent` after channels were removed, if it can be.

    Every tensor that was sent, none beside them but step counters, no dimension longer, no value that was not there.

    Raises:
        SubmissionError: it cannot be.
    """
    added = [name for name in cut if name not in sent and not name.endswith("num_batches_tracked")]
    if added or any(name not in cut or not _part_of(cut[name], each) for name, each in sent.items()):
        raise _nonsense()
    return {name: each for name, each in cut.items() if name in sent}


def _part_of(cut: Tensor, whole: Tensor) -> bool:
    smaller = cut.dim() == whole.dim() and all(a <= b for a, b in zip(cut.shape, whole.shape, strict=True))
    # In the network's own precision: a file may hold more digits than the network keeps.
    return smaller and bool(torch.isin(cut, whole.to(cut.dtype)).all())


def _check_statistics(found: Weights, sent: Weights) -> None:
    for name, each in found.items():
        fits = name in sent and is_statistic(name, sent) and each.shape == sent[name].shape
        if (
            not fits
            or not bool(torch.isfinite(each).all())
            or (name.endswith("running_var") and bool((each < 0).any()))
        ):
            raise _nonsense()


def _equal(one: Weights, other: Weights) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], each) for name, each in other.items())
