"""Grade a submission as a function from (weights, images) to logits.

The code runs in a sandboxed worker; the weights live here and are sent in with every request. Code beside the network,
such as the KD loss, gets a worker of its own, so that neither can change what the other answers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from harness.contracts.network import Network
from harness.contracts.sources import WorkerHalf
from harness.errors import SubmissionError
from harness.graph.tensors import bound, perhaps_constructed, reproduced
from harness.networks.checkpoint import CheckpointNetwork, facts_of
from harness.networks.choosing import built_and_fitted
from harness.networks.graded import GradedNetwork
from harness.networks.intake import Intake, Said
from harness.networks.remote import RemoteNetwork, Variant, checked_cut
from harness.networks.replayed import Measuring
from harness.networks.session import SMALL_REPLY_BYTES, Answer, Weights
from harness.networks.sources_alone import hidden_bytes, same_answers, sources_alone
from harness.networks.weights import for_model, live_masks
from harness.networks.workers import Workers
from harness.plugins import worker_half_name
from harness.sandbox import Box
from harness.sandbox.shared_images import SharedImages
from harness.submission.reading import no_weights
from harness.values.networks import Beside, ChannelOrder, Checkpoint, ModelFacts, Reply, TracedNetwork
from harness.worker.messages import AnswerProbes, AskPlugin, Decode, Describe, PruneChannels
from harness.worker.replies import Built, Decoded

if TYPE_CHECKING:
    from harness.assignment.loading import Assignment
    from harness.submission.reading import Submission

_COMPILED = (".pyc", ".pyo", ".so", ".pyd", ".dll", ".dylib")
_BATCH = 64
"""Images at a time, as `Network.logits` gives them."""


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
        self.rules = assignment.rules
        self._on_stage, self._stopping = on_stage, stopping or threading.Event()
        self._workers = Workers(
            submission,
            self.rules,
            box,
            format_modules=format_modules,
            input_shape=(self.rules.images.channels, input_size, input_size),
            on_stage=on_stage,
            stopping=self._stopping,
        )
        self.session = self._workers.session
        super().__init__(RemoteNetwork(self.session, shared, self.rules))
        self.shared = shared
        self.submission, self.assignment, self.input_size = submission, assignment, input_size
        self._box, self._format_modules = box, format_modules
        self.decoded: Weights = {}
        self.masks: Weights = {}
        self._facts: ModelFacts | None = None
        self._printed = ""
        self._alone = ExitStack()
        self._measuring = Measuring(
            self._workers.measuring, shared.in_order, self.rules, self._workers.input_shape, box.free_workers
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._alone.close()

    def close(self) -> None:
        """Kill its workers, if any. They start again when they are asked."""
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
        return self._printed + self._workers.printed + self.session.printed

    def open(self) -> None:
        """Decode the weights, import the definitions, build the network, match and describe.

        Raises:
            SubmissionError: with the stage it failed in.
        """
        read = self._decode()
        self._on_stage("importing")
        found = built_and_fitted(self._workers, read)
        opened, built = self._workers.opened, self._workers.built
        assert opened is not None
        assert built is not None
        self.decoded = found.tensors
        self.masks = live_masks(self.decoded)
        self.module.weights = for_model(self.decoded, built.state)
        described = self._describe(built)
        self.session.note([*read.said.notes, *found.notes])
        facts = facts_of(opened.source, read.said, built, found)
        self._facts = facts.model_copy(update={**described, "notes": tuple(self.notes)})
        self._on_stage("tracing")
        self.verify(self._measuring)
        if self.traced is not None:
            self.session.note(self.traced.graph.notes)
            self.traced = replace(
                self.traced, constructed=self._constructed(self.traced), literal_bytes=self._workers.literal_bytes
            )
        else:
            self._facts = self._facts.model_copy(update={"beside": self._on_its_code_alone()})

    def intake(self) -> Intake:
        """What is kept of it once it has been opened: of a verified network all that measuring it takes."""
        traced = self.traced
        said = Said(
            facts=self.facts,
            verification=self.verification,
            graph=traced.text if traced else None,
            macs=traced.macs if traced else 0,
            packed=traced.packed if traced else {},
            constructed=tuple(sorted(traced.constructed)) if traced else (),
            literal_bytes=traced.literal_bytes if traced else 0,
            notes=tuple(self.notes),
            printed=self.printed,
        )
        if traced is None:
            return Intake(said, {}, {}, {}, {}, complete=False)
        return Intake(said, self.weights, self.decoded, self.masks, traced.constants)

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
        other.module.weights, other._workers.chosen = self.weights, self._workers.chosen
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
        network = CheckpointNetwork(self.module, checkpoint, self._workers.construction, self.submission.folder)
        network.verify(self._measuring)
        return network

    def ask(
        self, half: WorkerHalf, facts: Mapping[str, Any], tensors: Weights, *, doing: str, limit_seconds: float
    ) -> Reply:
        """See `harness.api.Student.ask`."""
        request = AskPlugin(half=worker_half_name(half), facts=dict(facts))
        answer = self._workers.apart(request, tensors, doing=doing, seconds=limit_seconds)
        return Reply(answer.said.facts, answer.tensors)

    def _decode(self) -> Answer[Decoded]:
        """The weights, from a worker in which nothing of the student's has run before."""
        weights, limits = self.submission.weights, self.rules.limits
        if weights is None:
            raise no_weights()
        self._on_stage("decoding weights")
        return self._workers.apart(
            Decode(weights=weights.as_posix(), max_bytes=limits.tensor_bytes),
            {},
            doing=f"decoding {weights}",
            seconds=limits.import_seconds,
            max_reply_bytes=limits.tensor_bytes + SMALL_REPLY_BYTES,
        )

    def _on_its_code_alone(self) -> Beside:
        """Try it out; from now on its process sees nothing but code and what it is sent, if it answers the same so.

        Not where further weights files were handed in, which it may be asked to load.
        """
        of_source: dict[str, Any] = {
            "literal_bytes": self._workers.literal_bytes,
            "longest_literal": self._workers.longest_literal,
            "compiled": tuple(each for each in self.submission.hidden if each.lower().endswith(_COMPILED))[:3],
        }
        further = self.submission.settings.further_files()
        answered = self._try_out()
        pickled = Path(self._workers.construction.pickled_in) if self._workers.construction.pickled_in else None
        whole = self._alone.enter_context(sources_alone(self.submission, and_file=pickled))
        hidden = self._hidden(whole)
        alone = None if further else self._try_out()
        if alone is not None and same_answers(answered, alone):
            return Beside(**of_source)
        self._alone.close()
        if isinstance(alone, SubmissionError) and not isinstance(answered, SubmissionError):
            because = alone.reason
        else:
            because = "it answers otherwise" if alone is not None else "further weights files were handed in"
        self.module.failure = _to_tell(answered)
        return Beside(**of_source, hidden_bytes=sum(hidden.values()), files=tuple(hidden)[:3], because=because)

    def _try_out(self) -> Weights | SubmissionError:
        """Run it once on made-up images: what is wrong with its logits can be told to students, as long as its code has
        seen none of the graded images. It is told when logits are asked for.
        """
        request = AnswerProbes(sizes=(_BATCH,), classes=self.rules.images.classes)
        seconds = self.rules.limits.forward_seconds
        answered: Weights | SubmissionError
        try:
            answered = self.session.ask(request, self.weights, doing="running forward", seconds=seconds).tensors
        except SubmissionError as error:
            answered = error
        # What it keeps from one pass to the next, it has now of this one.
        self.session.close()
        self.module.failure = _to_tell(answered)
        return answered

    def _hidden(self, whole: Path) -> dict[str, int]:
        """Bytes that its code does not see now, by file; of the weights file those that are no weights."""
        hidden = hidden_bytes(whole, self.submission.folder)
        if self.submission.weights is not None:
            name = self.submission.weights.as_posix()
            hidden[name] = hidden.get(name, 0) - sum(each.nbytes for each in self.decoded.values())
        return {name: size for name, size in hidden.items() if size > 0}

    def _constructed(self, traced: TracedNetwork) -> frozenset[str]:
        """The names of tensors that were not learned: see `TracedNetwork`."""
        asked = perhaps_constructed(traced.graph)
        if not asked:
            return frozenset()
        # Whoever has seen the weights must not be there to tell the other.
        self.session.close()
        with sources_alone(self.submission):
            again = self._workers.built_again()
        return reproduced(asked, {**traced.constants, **bound(traced.graph, self.weights)}, again)

    def _describe(self, built: Built) -> dict[str, Any]:
        """Torchinfo's figures."""
        outside = {name: mask for name, mask in self.masks.items() if name in built.state}
        tensors = {**self.weights, **{f"{name}_mask": mask for name, mask in outside.items()}}
        request = Describe(masks=tuple(outside))
        seconds = self.rules.limits.build_seconds
        return self.session.ask(request, tensors, doing="running torchinfo", seconds=seconds).said.model_dump()


def _to_tell(answered: Weights | SubmissionError) -> SubmissionError | None:
    """What its owner is told when logits are asked for.

    A crash without a known cause may be due to made-up images, and says nothing of the graded ones.
    """
    if isinstance(answered, SubmissionError) and (answered.status != "crashed" or answered.hint is not None):
        return answered
    return None
