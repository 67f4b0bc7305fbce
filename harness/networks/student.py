"""A submission as a function from (weights, images) to logits.

The code runs in a sandboxed worker; the weights live here and are sent in with every request. A worker that died is
replaced when the next request comes. Code beside the network, such as the KD loss, gets a worker of its own, so that
neither can change what the other answers.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from harness.api.network import Network
from harness.errors import SubmissionError
from harness.networks.checkpoint import CheckpointNetwork
from harness.networks.key_matching import match_keys
from harness.networks.remote import RemoteNetwork, Variant, checked_cut
from harness.networks.session import SMALL_REPLY_BYTES, nonsense_refused
from harness.networks.weights import for_model, live_masks, refuse_non_finite, renamed
from harness.sandbox import Box, Usage, Worker
from harness.sandbox.shared_images import SharedImages
from harness.values.images import Images
from harness.values.networks import ChannelOrder, Checkpoint, ModelFacts, Reply
from harness.worker.shared_memory import mapped, space

if TYPE_CHECKING:
    from torch import Tensor

    from harness.assignment.loading import Assignment
    from harness.submission.reading import Submission

_MAX_NOTES = 40
_NOTE_CHARACTERS = 1000


@dataclass
class SandboxedStudent(RemoteNetwork):
    """The handle evaluators get (`harness.api.Student`). Use it as a context manager: leaving kills the worker.

    Args:
        box: where the submission is staged, and whose workers run it.
        on_stage: told what happens now, for progress displays.
        stopping: set from any thread to give up with `Cancelled`.
    """

    submission: Submission
    assignment: Assignment
    box: Box
    shared: SharedImages
    format_modules: list[str]
    """Plugin modules that decode weights, for the worker to import."""
    input_size: int
    on_stage: Callable[[str], None] = lambda _: None
    stopping: threading.Event = field(default_factory=threading.Event)
    decoded: Mapping[str, Tensor] = field(default_factory=dict, init=False)
    weights: Mapping[str, Tensor] = field(default_factory=dict, init=False)
    masks: Mapping[str, Tensor] = field(default_factory=dict, init=False)
    notes: list[str] = field(default_factory=list, init=False)
    _facts: ModelFacts | None = field(default=None, init=False)
    _worker: Worker | None = field(default=None, init=False)
    _held: tuple[Worker | None, Variant | None] = field(default=(None, None), init=False)
    _printed: str = field(default="", init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill the worker, if any."""
        if self._worker is not None:
            self._worker.close()
            self._printed += self._worker.printed
            self._worker = None

    @property
    def facts(self) -> ModelFacts:
        assert self._facts is not None, "open() first"
        return self._facts

    @property
    def weights_bytes(self) -> int:
        return self.submission.weights_bytes

    @property
    def claims(self) -> Mapping[str, float]:
        return self.submission.settings.claims.figures

    @property
    def claimed_curves(self) -> Mapping[str, tuple[tuple[float, float], ...]]:
        return self.submission.settings.claims.curves

    @property
    def checkpoints(self) -> Mapping[str, tuple[Checkpoint, ...]]:
        return self.submission.settings.checkpoints

    @property
    def methods(self) -> Mapping[str, Checkpoint]:
        return self.submission.settings.methods

    @property
    def teacher(self) -> Checkpoint | None:
        return self.submission.settings.teacher

    @property
    def printed(self) -> str:
        """What the student's code printed so far."""
        return self._printed + (self._worker.printed if self._worker else "")

    def open(self) -> None:
        """Import the definitions, decode and match the weights, build and describe the network.

        Raises:
            SubmissionError: with the stage it failed in.
        """
        weights = self.submission.weights
        if weights is None:
            raise SubmissionError(
                "rejected",
                "there is no weights file",
                "put the trained weights beside the source, e.g. torch.save(model.state_dict(), 'weights.pt')",
            )
        self.on_stage("importing")
        opened = self._opened_worker(self._entry_points)
        self._note(opened)
        self.on_stage("decoding weights")
        limits = self.assignment.rules.limits
        read = self.request(
            "decode",
            {"weights": weights.as_posix(), "max_bytes": limits.tensor_bytes},
            {},
            doing=f"decoding {weights}",
            seconds=limits.import_seconds,
            max_reply_bytes=limits.tensor_bytes + SMALL_REPLY_BYTES,
        )
        self.on_stage("building")
        built = self._build()
        with nonsense_refused():
            state = {str(name): tuple(map(int, shape)) for name, shape in built.facts["state"].items()}
            self.decoded, fitted = match_keys(read.tensors, state)
            refuse_non_finite(self.decoded)
            self.masks = live_masks(self.decoded)
            self.weights = for_model(self.decoded, state)
        described = self._describe(state)
        with nonsense_refused():
            self._note(read)
            self.notes += fitted
            said = {
                **built.facts,
                **described.facts,
                "source": opened.facts["source"],
                "weights_format": read.facts["format"],
                "stored_bits": read.facts["bits"],
                "aliases": renamed(read.facts["aliases"], read.tensors, self.decoded),
                "storage_elements": read.facts["storage_elements"],
                "notes": self.notes,
            }
            self._facts = ModelFacts.model_validate(said)

    def logits(self, images: Images, weights: Mapping[str, Tensor] | None = None, *, batch_size: int = 64) -> Tensor:
        """See `harness.api.Student.logits`."""
        return self.forward(images, self.weights if weights is None else weights, batch_size, self.request)

    def forward(
        self, images: Images, weights: Mapping[str, Tensor], batch_size: int, request: Callable[..., Reply]
    ) -> Tensor:
        """The logits of the network that `request` asks."""
        classes = self.assignment.rules.images.classes
        count = len(images.pixels)
        pixels, order = self.shared.of(images)
        output = space(count * classes * 4)
        try:
            reply = request(
                "logits",
                {
                    "pixels": list(images.pixels.shape),
                    "classes": classes,
                    "mean": images.mean,
                    "std": images.std,
                    "batch_size": batch_size,
                },
                weights,
                doing="running forward",
                seconds=self.assignment.rules.limits.forward_seconds,
                descriptors=(pixels, output),
            )
            self._note(reply)
            logits = torch.empty(count, classes)
            logits[torch.from_numpy(order)] = mapped(output, np.float32, (count, classes))
        finally:
            os.close(output)
        bad = int((~torch.isfinite(logits)).any(dim=1).sum())
        if bad:
            raise SubmissionError(
                "rejected",
                f"forward returned NaN or infinite logits for {bad:,} of {count:,} images",
                "do the weights belong to this network, and are they free of NaN?",
            )
        return logits

    @contextmanager
    def again(self) -> Iterator[SandboxedStudent]:
        """See `harness.api.Student.again`."""
        other = replace(self)
        other.decoded, other.weights, other.masks = self.decoded, self.weights, self.masks
        other._facts = self._facts  # noqa: SLF001 - its own class
        try:
            yield other
        finally:
            other.close()
            self._printed += other.printed

    def without_channels(
        self, order: ChannelOrder, keep: float, weights: Mapping[str, Tensor] | None = None
    ) -> Network:
        """See `harness.api.Student.without_channels`."""
        sent = self.weights if weights is None else weights
        limits = self.assignment.rules.limits

        def make(name: str) -> Mapping[str, Tensor]:
            reply = self.request(
                "prune_channels",
                {"variant": name, "method": order, "keep": keep, "classes": self.assignment.rules.images.classes},
                sent,
                doing="removing channels",
                seconds=limits.build_seconds,
                max_reply_bytes=limits.tensor_bytes + SMALL_REPLY_BYTES,
            )
            with nonsense_refused():
                return checked_cut(reply.tensors, sent)

        return Variant(self, make)

    def load(self, checkpoint: Checkpoint) -> CheckpointNetwork:
        """See `harness.api.Student.load`."""
        return CheckpointNetwork(self, checkpoint)

    def hold(self, variant: Variant) -> None:
        """Make `variant` in the worker unless it is what the worker holds already."""
        self._revive()
        if self._held != (self._worker, variant):
            variant.make()
            self._held = (self._worker, variant)

    def ask(
        self, request: str, facts: Mapping[str, Any], tensors: Mapping[str, Tensor], *, limit_seconds: float
    ) -> Reply:
        """See `harness.api.Student.ask`."""
        model, self._worker = self._worker, None
        try:
            self._opened_worker([])
            return self._send(request, facts, tensors, doing=f"running {request}", seconds=limit_seconds)
        finally:
            self.close()
            self._worker = model

    def _opened_worker(self, entry_points: Sequence[str]) -> Reply:
        limits = self.assignment.rules.limits
        usage = Usage(limits.memory_bytes, limits.cpu_seconds, limits.threads)
        self._worker = self.box.worker(self.submission.folder, usage, self.stopping)
        facts = {
            "formats": self.format_modules,
            "sources": [each.as_posix() for each in self.submission.sources],
            "entry_points": list(entry_points),
        }
        return self._send("open", facts, {}, doing="importing the submission", seconds=limits.import_seconds)

    @property
    def _entry_points(self) -> tuple[str, ...]:
        asked_for = self.submission.settings.entry_point
        return (asked_for,) if asked_for else self.assignment.rules.submission.entry_points

    @property
    def construction(self) -> dict[str, Any]:
        """How the worker builds the network."""
        rules = self.assignment.rules
        arguments = self.submission.settings.model_arguments or rules.submission.model_arguments
        return {
            "model_arguments": arguments,
            "input_shape": [rules.images.channels, self.input_size, self.input_size],
        }

    def _build(self) -> Reply:
        return self._send(
            "build",
            self.construction,
            {},
            doing="building the network and trying it on an empty image",
            seconds=self.assignment.rules.limits.build_seconds,
        )

    def _describe(self, state: Mapping[str, Any]) -> Reply:
        outside = {name: mask for name, mask in self.masks.items() if name in state}
        tensors = {**self.weights, **{f"{name}_mask": mask for name, mask in outside.items()}}
        seconds = self.assignment.rules.limits.build_seconds
        return self._send("describe", {"masks": list(outside)}, tensors, doing="running torchinfo", seconds=seconds)

    def request(self, request: str, facts: Mapping[str, Any], tensors: Mapping[str, Tensor], **rest: Any) -> Reply:
        """Send to the worker, or to a new one when the last has died."""
        self._revive()
        return self._send(request, facts, tensors, **rest)

    def _revive(self) -> None:
        if self._worker is None or not self._worker.alive:
            self.close()
            self._opened_worker(self._entry_points)
            self._build()

    def _send(
        self,
        request: str,
        facts: Mapping[str, Any],
        tensors: Mapping[str, Tensor],
        *,
        doing: str,
        seconds: float,
        max_reply_bytes: int = SMALL_REPLY_BYTES,
        descriptors: tuple[int, ...] = (),
    ) -> Reply:
        assert self._worker is not None
        return self._worker.ask(
            request,
            facts,
            tensors,
            limit_seconds=seconds,
            max_reply_bytes=max_reply_bytes,
            doing=doing,
            descriptors=descriptors,
        )

    def _note(self, reply: Reply) -> None:
        """Keep new notes, few and short: a worker may send megabytes of them with every answer."""
        with nonsense_refused():
            said = [str(each)[:_NOTE_CHARACTERS] for each in reply.facts["notes"][:_MAX_NOTES]]
            self.notes += [each for each in dict.fromkeys(said) if each not in self.notes]
            del self.notes[_MAX_NOTES:]
