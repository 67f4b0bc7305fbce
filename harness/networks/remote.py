"""Ask a network in a worker for its logits, statistics and costs; make further networks from the student's own.

All that comes back is a claim of a process that ran student code. What can be checked is: statistics are all that
recalibration may change, and a network with fewer channels holds values that were sent and no others.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
import torch

from harness.errors import SubmissionError
from harness.networks.logits import refuse_undefined
from harness.networks.session import Weights, WorkerSession, nonsense
from harness.networks.weights import is_statistic
from harness.sandbox.shared_images import SharedImages
from harness.values.images import Images
from harness.values.networks import Latency
from harness.values.rules import AssignmentFile
from harness.worker.messages import Batches, CountMacs, Logits, MeasureLatency, Recalibrate
from harness.worker.shared_memory import mapped, space

if TYPE_CHECKING:
    from torch import Tensor

CALIBRATION_BATCH = 128


class RemoteNetwork:
    """A network behind a session; see `harness.api.Network` for the contracts.

    Attributes:
        variant: the name under which the worker holds it; None: it is the network that is graded.
        failure: why it gives no logits, where that is known beforehand.
    """

    variant: str | None = None
    failure: SubmissionError | None = None

    def __init__(self, session: WorkerSession, shared: SharedImages, rules: AssignmentFile) -> None:
        self.session, self.shared, self.rules = session, shared, rules
        self.weights: Weights = {}

    def logits(self, images: Images, weights: Weights | None = None, *, batch_size: int = 64) -> Tensor:
        """See `harness.api.Network.logits`."""
        if self.failure is not None:
            raise self.failure
        classes, count = self.rules.images.classes, len(images.pixels)
        output = space(count * classes * 4)
        try:
            with self.shared.opened(images) as (pixels, order):
                request = Logits(images=batches_of(images, batch_size), classes=classes, variant=self.variant)
                self.forward(request, self.weights if weights is None else weights, (pixels, output))
            logits = torch.empty(count, classes)
            logits[torch.from_numpy(order)] = mapped(output, np.float32, (count, classes))
        finally:
            os.close(output)
        refuse_undefined(logits)
        return logits

    def forward(self, request: Logits, weights: Weights, descriptors: tuple[int, int]) -> None:
        """Have logits written into shared memory: those of `request.rows`, which have their part of the time.

        Args:
            descriptors: of the images and of the logits.

        Raises:
            SubmissionError: the network failed.
        """
        doing, seconds = "running forward", self.rules.limits.forward_seconds
        if request.rows is not None:
            part, count = request.rows[1] - request.rows[0], request.images.pixels[0]
            doing, seconds = f"{doing} on {part:,} of {count:,} images", seconds * part / count
        self.asked().ask(request, weights, doing=doing, seconds=seconds, descriptors=descriptors)

    def recalibrated(self, images: Images, weights: Weights | None = None) -> Weights:
        """See `harness.api.Network.recalibrated`."""
        sent = self.weights if weights is None else weights
        with self.shared.opened(images) as (pixels, _):
            answer = self.asked().ask(
                Recalibrate(images=batches_of(images, CALIBRATION_BATCH), variant=self.variant),
                sent,
                doing="gathering BatchNorm statistics",
                seconds=self.rules.limits.forward_seconds,
                max_reply_bytes=self.rules.limits.tensor_bytes,
                descriptors=(pixels,),
            )
        found = answer.tensors
        _check_statistics(found, sent)
        if not found and any(name.endswith("running_mean") for name in sent):
            raise SubmissionError("rejected", "its BatchNorm layers cannot be found: is the network compiled?")
        return {**sent, **found}

    def macs(self) -> int:
        """See `harness.api.Network.macs`."""
        self.session.without_images()
        request = CountMacs(variant=self.variant)
        seconds = self.rules.limits.build_seconds
        return self.asked().ask(request, doing="counting multiply-accumulates", seconds=seconds).said.macs

    def latency(self, weights: Weights | None = None, *, batch_size: int, seconds: float = 0.2) -> Latency:
        """See `harness.api.Network.latency`."""
        self.session.without_images()
        return (
            self.asked()
            .ask(
                MeasureLatency(batch_size=batch_size, seconds=seconds, variant=self.variant),
                self.weights if weights is None else weights,
                doing=f"timing batches of {batch_size}",
                seconds=self.rules.limits.forward_seconds + seconds,
            )
            .said
        )

    def asked(self) -> WorkerSession:
        """The session, ready to be asked about this network."""
        return self.session


class Variant(RemoteNetwork):
    """A network made from the student's own, in the same worker.

    The worker holds one at a time; one that was displaced, or went with its worker, is made again when it is asked.

    Args:
        of: the student's network.
        made: has the worker make it under the given name, and returns its weights, checked.

    Raises:
        SubmissionError: it could not be made.
    """

    def __init__(self, of: RemoteNetwork, made: Callable[[str], Weights]) -> None:
        super().__init__(of.session, of.shared, of.rules)
        self.variant: str = uuid4().hex
        self._made = made
        self.asked()

    def make(self) -> None:
        """Make it in a worker that does not hold it.

        Raises:
            SubmissionError: it could not be made, or did not become what it was before.
        """
        made = self._made(self.variant)
        if self.weights and not _equal(made, self.weights):
            raise SubmissionError("crashed", "the same change of the network, made twice, gave two networks")
        self.weights = made

    def asked(self) -> WorkerSession:
        return self.session.holding(self)


def checked_cut(cut: Weights, sent: Weights) -> Weights:
    """What a worker says is left of `sent` after channels were removed, if it can be.

    Every tensor that was sent, none beside them but step counters, no dimension longer, no value that was not there.

    Raises:
        SubmissionError: it cannot be.
    """
    added = [name for name in cut if name not in sent and not name.endswith("num_batches_tracked")]
    if added or any(name not in cut or not _part_of(cut[name], each) for name, each in sent.items()):
        raise nonsense()
    return {name: each for name, each in cut.items() if name in sent}


def batches_of(images: Images, batch_size: int) -> Batches:
    """What a worker must know of images that it gets in shared memory."""
    return Batches.model_validate(
        {"pixels": images.pixels.shape, "mean": images.mean, "std": images.std, "batch_size": batch_size}
    )


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
            raise nonsense()


def _equal(one: Weights, other: Weights) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], each) for name, each in other.items())
