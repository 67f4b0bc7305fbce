"""Talk to the worker of one submission: started when it is needed, and again when it has died.

A session knows no network. It sends messages, reads the answers as what they should be, and is the one place where a
malformed answer becomes the failure of the submission that gave it; an error of ours while we use an answer never does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, cast

from pydantic import ValidationError

from harness.errors import SubmissionError
from harness.sandbox import Worker
from harness.sandbox.process import Refusal
from harness.vocabulary import describe_status
from harness.worker.messages import ReplyT, Request

if TYPE_CHECKING:
    from torch import Tensor

SMALL_REPLY_BYTES = 16 * 2**20
_MAX_NOTES = 40

Weights = Mapping[str, "Tensor"]


@dataclass(frozen=True, slots=True)
class Answer(Generic[ReplyT]):
    """A worker's answer, validated: what it says, and the tensors that came along."""

    said: ReplyT
    tensors: dict[str, Tensor]


class Held(Protocol):
    """Something that a worker makes and holds, one at a time."""

    def make(self) -> None:
        """Have the session's present worker make it."""


class WorkerSession:
    """The worker of one submission; use it from one thread at a time.

    Args:
        start: forks a worker.
        greet: tells a new worker what it must know before anything else can be asked of it.
    """

    def __init__(self, start: Callable[[], Worker], greet: Callable[[WorkerSession], None]) -> None:
        self._start, self._greet = start, greet
        self._worker: Worker | None = None
        self._greeting = False
        self._holding: tuple[Worker | None, Held | None] = (None, None)
        self._printed = ""
        self._has_seen_images = False
        self.notes: list[str] = []
        """What workers told the student, each once."""

    @property
    def printed(self) -> str:
        """What the student's code printed so far."""
        return self._printed + (self._worker.printed if self._worker else "")

    def ask(
        self,
        request: Request[ReplyT],
        tensors: Weights | None = None,
        *,
        doing: str,
        seconds: float,
        max_reply_bytes: int = SMALL_REPLY_BYTES,
        descriptors: tuple[int, ...] = (),
    ) -> Answer[ReplyT]:
        """Send a request to the worker, or to a new one when the last has died, and wait for the answer.

        Args:
            doing: what the worker does meanwhile, for messages: "building the network".

        Raises:
            SubmissionError: refused, crashed, timed out, out of memory, or answered with nonsense.
            Cancelled: the run is being stopped.
        """
        worker = self.greeted()
        facts = request.model_dump(mode="json")
        self._has_seen_images |= bool(descriptors)
        try:
            reply = worker.ask(
                request.kind,
                facts,
                tensors or {},
                limit_seconds=seconds,
                max_reply_bytes=max_reply_bytes,
                doing=doing,
                descriptors=descriptors,
            )
        except Refusal as refusal:
            raise (self._private(refusal, doing) if self._has_seen_images else refusal) from None
        try:
            said = cast("ReplyT", request.reply.model_validate(reply.facts))
        except ValidationError as error:
            raise nonsense() from error
        notes = getattr(said, "notes", ())
        if self._has_seen_images:
            self._printed += "".join(f"note: {each}\n" for each in notes)
        else:
            self.note(notes)
        return Answer(said, reply.tensors)

    def without_images(self) -> None:
        """Have the next request answered by a worker that has seen no image, so that its answer cannot tell of any."""
        if self._has_seen_images:
            self.close()

    def _private(self, refusal: Refusal, doing: str) -> SubmissionError:
        """The failure without the words of code that has seen graded images; those are kept with what it printed.

        Why something was rejected is told to students, so there they are not even for the instructor's line.
        """
        self._printed += f"{refusal.reason}\n"
        told = f"{describe_status(refusal.status)}: it failed while {doing}"
        said = told if refusal.status == "rejected" else refusal.reason
        return SubmissionError(refusal.status, told, "'harness check' says at home what happened", said=said)

    def holding(self, thing: Held) -> WorkerSession:
        """Itself, once its worker holds `thing`: made now unless it is what the worker holds already."""
        if self._holding != (self.greeted(), thing):
            thing.make()
            self._holding = (self._worker, thing)
        return self

    def greeted(self) -> Worker:
        """The worker, or a new one when the last has died, once it knows what it must know."""
        # One that dies while it is greeted is not replaced: it answers with the reason.
        if self._worker is None or not (self._greeting or self._worker.alive):
            self.close()
            self._worker = self._start()
            self._greeting = True
            try:
                self._greet(self)
            finally:
                self._greeting = False
        assert self._worker is not None
        return self._worker

    def note(self, notes: tuple[str, ...] | list[str]) -> None:
        """Keep new notes, few of them."""
        self.notes += [each for each in dict.fromkeys(notes) if each not in self.notes]
        del self.notes[_MAX_NOTES:]

    def close(self) -> None:
        """Kill the worker, if any, and forget what it holds: tensors go at once, and not when garbage is looked for."""
        self._holding = (None, None)
        if self._worker is not None:
            self._worker.close()
            self._printed += self._worker.printed
            self._worker = None
            self._has_seen_images = False


def nonsense() -> SubmissionError:
    """What is said of a worker whose answer cannot be one."""
    return SubmissionError("crashed", "the process that ran the submission wrote over its own answers")
