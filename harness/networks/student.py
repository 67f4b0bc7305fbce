"""Grade a submission as a function from (weights, images) to logits.

The code runs in a sandboxed worker; the weights live here and are sent in with every request. Code beside the network,
such as the KD loss, gets a worker of its own, so that neither can change what the other answers.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from harness.contracts.network import Network
from harness.contracts.sources import WorkerHalf
from harness.errors import SubmissionError
from harness.graph.tensors import bound, perhaps_constructed, reproduced
from harness.networks.checkpoint import CheckpointNetwork, facts_of
from harness.networks.entry_points import chosen, refused, said_of_choice
from harness.networks.graded import GradedNetwork
from harness.networks.key_matching import match_keys
from harness.networks.remote import RemoteNetwork, Variant, checked_cut
from harness.networks.replayed import Measuring
from harness.networks.session import SMALL_REPLY_BYTES, Answer, Weights, WorkerSession
from harness.networks.weights import for_model, live_masks, refuse_non_finite, renamed
from harness.plugins import worker_half_name
from harness.sandbox import Box, Usage, Worker
from harness.sandbox.shared_images import SharedImages
from harness.values.networks import ChannelOrder, Checkpoint, ModelFacts, Reply, TracedNetwork
from harness.worker.messages import (
    AskPlugin,
    Build,
    Built,
    Candidate,
    Decode,
    Decoded,
    Describe,
    Open,
    Opened,
    PruneChannels,
    ReplyT,
    Request,
    Survey,
    Surveyed,
    Trace,
)

if TYPE_CHECKING:
    from torch import Tensor

    from harness.assignment.loading import Assignment
    from harness.submission.reading import Submission

_MANY_TENSORS = 5000
"""Nobody's arguments are looked for beyond that."""


class SandboxedStudent(GradedNetwork):
    """The handle evaluators get (`harness.api.Student`). Use it as a context manager: leaving kills the worker.

    Args:
        box: where the submission is staged, and whose workers run it.
        format_modules: plugin modules that decode weights, for the worker to import.
        on_stage: told what happens now, for progress displays.
        stopping: set from any thread to give up with `Cancelled`.
    """

    def __init__(
        self,
        submission: Submission,
        assignment: Assignment,
        box: Box,
        shared: SharedImages,
        *,
        format_modules: list[str],
        input_size: int,
        on_stage: Callable[[str], None] = lambda _: None,
        stopping: threading.Event | None = None,
    ) -> None:
        super().__init__(RemoteNetwork(WorkerSession(self._worker, self._greet), shared, assignment.rules))
        self.rules, self.session = assignment.rules, self.module.session
        self.shared = shared
        self.submission, self.assignment, self.input_size = submission, assignment, input_size
        self._box, self._format_modules = box, format_modules
        self._on_stage, self._stopping = on_stage, stopping or threading.Event()
        self.decoded: Weights = {}
        self.masks: Weights = {}
        self._facts: ModelFacts | None = None
        self._opened: Opened | None = None
        self._built: Built | None = None
        self._chosen: Candidate | None = None
        self._printed = ""
        self._literal_bytes = 0
        self._measuring = Measuring(self._measuring_worker, shared.in_order, self.rules, self._input_shape)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill its workers, if any."""
        self.session.close()
        self._measuring.close()

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
    def notes(self) -> list[str]:
        """What the student should know, each once."""
        return self.session.notes

    @property
    def printed(self) -> str:
        """What the student's code printed so far."""
        return self._printed + self.session.printed

    @property
    def construction(self) -> Build:
        """How the worker builds the network."""
        arguments = self.submission.settings.model_arguments or self.rules.submission.model_arguments
        pickled = self._chosen is not None and not self._chosen.entry_point
        assert self.submission.weights is not None or not pickled
        return Build(
            model_arguments=arguments,
            input_shape=self._input_shape,
            pickled_in=self.submission.weights.as_posix() if pickled and self.submission.weights else "",
        )

    def open(self) -> None:
        """Decode the weights, import the definitions, build the network, match and describe.

        Raises:
            SubmissionError: with the stage it failed in.
        """
        read = self._decode()
        self._on_stage("importing")
        self.decoded, fitted = self._matched(read)
        assert self._opened is not None
        assert self._built is not None
        state = self._built.state
        refuse_non_finite(self.decoded)
        self.masks = live_masks(self.decoded)
        self.module.weights = for_model(self.decoded, state)
        described = self._describe()
        self.session.note([*read.said.notes, *fitted])
        aliases = renamed(read.said.aliases, read.tensors, self.decoded)
        facts = facts_of(self._opened.source, read.said, self._built, aliases=aliases)
        self._facts = facts.model_copy(update={**described, "notes": tuple(self.notes)})
        self._on_stage("tracing")
        self.verify(self._measuring)
        if self.traced is not None:
            self.traced = replace(
                self.traced, constructed=self._constructed(self.traced), literal_bytes=self._literal_bytes
            )
        elif self.rules.submission.unverified == "refuse":
            raise SubmissionError(
                "rejected",
                f"the network cannot be verified: {self.verification.reason}",
                "write forward with plain tensor operators, without decisions that depend on values",
            )

    @contextmanager
    def again(self) -> Iterator[SandboxedStudent]:
        """See `harness.api.Student.again`."""
        other = SandboxedStudent(
            self.submission,
            self.assignment,
            self._box,
            self.shared,
            format_modules=self._format_modules,
            input_size=self.input_size,
            stopping=self._stopping,
        )
        other.decoded, other.masks, other._facts = self.decoded, self.masks, self._facts
        other.module.weights, other._chosen = self.weights, self._chosen
        try:
            yield other
        finally:
            other.close()
            self._printed += other.printed

    def without_channels(self, order: ChannelOrder, keep: float, weights: Weights | None = None) -> Network:
        """See `harness.api.Student.without_channels`."""
        sent = self.weights if weights is None else weights
        limits, classes = self.rules.limits, self.rules.images.classes

        def cut(variant: str) -> Weights:
            answer = self.session.ask(
                PruneChannels(variant=variant, order=order, keep=keep, classes=classes),
                sent,
                doing="removing channels",
                seconds=limits.build_seconds,
                max_reply_bytes=limits.tensor_bytes + SMALL_REPLY_BYTES,
            )
            return checked_cut(answer.tensors, sent)

        network = GradedNetwork(Variant(self.module, cut))
        network.verify(self._measuring)
        return network

    def load(self, checkpoint: Checkpoint) -> CheckpointNetwork:
        """See `harness.api.Student.load`."""
        network = CheckpointNetwork(self.module, checkpoint, self.construction, self.submission.folder)
        network.verify(self._measuring)
        return network

    def ask(
        self, half: WorkerHalf, facts: Mapping[str, Any], tensors: Weights, *, doing: str, limit_seconds: float
    ) -> Reply:
        """See `harness.api.Student.ask`."""
        request = AskPlugin(half=worker_half_name(half), facts=dict(facts))
        answer = self._apart(request, tensors, doing=doing, seconds=limit_seconds)
        return Reply(answer.said.facts, answer.tensors)

    def _decode(self) -> Answer[Decoded]:
        """The weights, from a worker in which nothing of the student's has run before."""
        weights, limits = self.submission.weights, self.rules.limits
        if weights is None:
            raise SubmissionError(
                "rejected",
                "there is no weights file",
                "put the trained weights beside the source, e.g. torch.save(model.state_dict(), 'weights.pt')",
            )
        self._on_stage("decoding weights")
        return self._apart(
            Decode(weights=weights.as_posix(), max_bytes=limits.tensor_bytes),
            {},
            doing=f"decoding {weights}",
            seconds=limits.import_seconds,
            max_reply_bytes=limits.tensor_bytes + SMALL_REPLY_BYTES,
        )

    def _matched(self, read: Answer[Decoded]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
        """The weights under the model's names. Where names leave open which model, the weights decide.

        Raises:
            SubmissionError: they fit nothing that may be graded; what they would fit is offered.
        """
        try:
            return self._match(read.tensors)
        except SubmissionError as error:
            if error.status not in {"rejected", "crashed"} or not self.submission.sources:
                raise
            first = error
        surveyed = self._survey(read.tensors, everything=False)
        taken = chosen(surveyed, read.tensors, self._entry_points)
        if taken is None:
            everything = self._survey(read.tensors, everything=True)
            raise refused(first, everything, read.tensors, self._entry_points) from first
        self.session.close()
        self.session.notes.clear()
        self._chosen = taken
        found = self._match(read.tensors)
        assert self.submission.weights is not None
        weights = self.submission.weights.as_posix()
        names, why = self._entry_points, first.reason
        self.session.note([said_of_choice(taken, surveyed, read.tensors, weights=weights, names=names, why=why)])
        return found

    def _match(self, tensors: Weights) -> tuple[dict[str, Tensor], tuple[str, ...]]:
        self.session.greeted()
        assert self._built is not None
        return match_keys(tensors, self._built.state)

    def _survey(self, tensors: Weights, *, everything: bool) -> Surveyed:
        """What the sources can build; nothing where looking fails."""
        self._on_stage("looking for what the weights fit")
        seconds = self.rules.limits.build_seconds
        assert self.submission.weights is not None
        request = Survey(
            entry_points=self._entry_points,
            everything=everything,
            model_arguments=self.construction.model_arguments,
            input_shape=self._input_shape,
            classes=self.rules.images.classes,
            weights=self.submission.weights.as_posix(),
            shapes={name: tuple(each.shape) for name, each in tensors.items()} if len(tensors) < _MANY_TENSORS else {},
            seconds=seconds,
        )
        try:
            return self._apart(request, {}, doing="looking for what the weights fit", seconds=seconds).said
        except SubmissionError:
            return Surveyed(candidates=())

    def _apart(self, request: Request[ReplyT], tensors: Weights, **rest: Any) -> Answer[ReplyT]:
        """Ask a fresh worker that has read the sources and built nothing."""
        session = WorkerSession(self._worker, self._read_only)
        try:
            return session.ask(request, tensors, **rest)
        finally:
            session.close()
            self._printed += session.printed

    def _constructed(self, traced: TracedNetwork) -> frozenset[str]:
        """The names of tensors that were not learned: see `TracedNetwork`."""
        asked = perhaps_constructed(traced.graph)
        if not asked:
            return frozenset()
        with self._sources_alone():
            again = self._built_again()
        return reproduced(asked, {**traced.constants, **bound(traced.graph, self.weights)}, again)

    def _built_again(self) -> Weights:
        """The tensors of a second instance that has no weights in it; none where it cannot be built or traced."""
        session = WorkerSession(self._worker, self._greet_again)
        limits, classes = self.rules.limits, self.rules.images.classes
        try:
            return session.ask(
                Trace(classes=classes, batch=2),
                doing="tracing the network again",
                seconds=limits.build_seconds,
                max_reply_bytes=limits.tensor_bytes + SMALL_REPLY_BYTES,
            ).tensors
        except SubmissionError:
            return {}
        finally:
            session.close()
            self._printed += session.printed

    @contextmanager
    def _sources_alone(self) -> Iterator[None]:
        """Everything but sources is out of every worker's sight: what a class reads from a file was not constructed."""
        folder, sources = self.submission.folder, set(self.submission.sources)
        hidden = [each.relative_to(folder) for each in folder.rglob("*") if each.is_file()]
        with tempfile.TemporaryDirectory(prefix="harness-hidden-") as elsewhere:
            moved = [
                (folder / each, Path(elsewhere, str(number)))
                for number, each in enumerate(hidden)
                if each not in sources
            ]
            for file, place in moved:
                shutil.move(file, place)
            try:
                yield
            finally:
                for file, place in moved:
                    shutil.move(place, file)

    def _worker(self) -> Worker:
        return self._box.worker(self.submission.folder, self._usage, self._stopping)

    def _measuring_worker(self) -> Worker:
        return self._box.measuring_worker(self._usage, self._stopping)

    @property
    def _usage(self) -> Usage:
        limits = self.rules.limits
        return Usage(limits.memory_bytes, limits.cpu_seconds, limits.threads)

    @property
    def _input_shape(self) -> tuple[int, int, int]:
        return (self.rules.images.channels, self.input_size, self.input_size)

    def _greet(self, session: WorkerSession) -> None:
        """Have a new worker import and build."""
        self._opened, self._built = self._import_and_build(session)

    def _greet_again(self, session: WorkerSession) -> None:
        self._import_and_build(session, other_random_numbers=True)

    def _import_and_build(self, session: WorkerSession, *, other_random_numbers: bool = False) -> tuple[Opened, Built]:
        opened = self._read(session, self._loaded)
        if self._chosen is not None:
            opened = opened.model_copy(update={"source": self._chosen.place})
        self._on_stage("building")
        request = self.construction.model_copy(update={"other_random_numbers": other_random_numbers})
        doing, seconds = "building the network and trying it on an empty image", self.rules.limits.build_seconds
        return opened, session.ask(request, doing=doing, seconds=seconds).said

    def _read_only(self, session: WorkerSession) -> None:
        self._literal_bytes = self._read(session, ()).literal_bytes

    def _read(self, session: WorkerSession, entry_points: tuple[str, ...]) -> Opened:
        request = Open(
            formats=tuple(self._format_modules),
            sources=tuple(each.as_posix() for each in self.submission.sources),
            entry_points=entry_points,
        )
        seconds = self.rules.limits.import_seconds
        return session.ask(request, doing="importing the submission", seconds=seconds).said

    @property
    def _entry_points(self) -> tuple[str, ...]:
        asked_for = self.submission.settings.entry_point
        return (asked_for,) if asked_for else self.rules.submission.entry_points

    @property
    def _loaded(self) -> tuple[str, ...]:
        """What a worker imports: by name, or what the weights chose; nothing where the network is in their file."""
        if self._chosen is None:
            return self._entry_points
        return (self._chosen.entry_point,) if self._chosen.entry_point else ()

    def _describe(self) -> dict[str, Any]:
        """Torchinfo's figures."""
        assert self._built is not None
        outside = {name: mask for name, mask in self.masks.items() if name in self._built.state}
        tensors = {**self.weights, **{f"{name}_mask": mask for name, mask in outside.items()}}
        request = Describe(masks=tuple(outside))
        seconds = self.rules.limits.build_seconds
        return self.session.ask(request, tensors, doing="running torchinfo", seconds=seconds).said.model_dump()
