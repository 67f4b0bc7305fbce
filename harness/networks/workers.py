"""Start the workers of one submission, and tell them what they must know before they are asked anything."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness.errors import PluginError, SubmissionError
from harness.networks.fitting import Fitted, fitted
from harness.networks.session import SMALL_REPLY_BYTES, Answer, Weights, WorkerSession
from harness.sandbox import Box, Usage, Worker
from harness.sandbox.process import Refusal
from harness.worker.messages import Adopt, Build, Decode, Open, ReplyT, Request, Trace
from harness.worker.replies import Adopted, Built, Candidate, Decoded, Opened

if TYPE_CHECKING:
    from harness.submission.reading import Submission
    from harness.values.rules import AssignmentFile

# At the beginning of a line of Python, or of a cell's lines in a notebook's JSON.
_IMPORTED = re.compile(rb"""(?m)^[ \t"]*(?:import[ \t]+(?=\w)|from[ \t]+(?=[\w.]+[ \t]+import\b))([A-Za-z_]\w*)""")
_COMPILING = re.compile(rb"\btorch\.(?:compile|compiler|export|library|_dynamo|_inductor|utils\.checkpoint)\b")
_USUAL = {each.encode() for each in ("torch", "torchinfo", "numpy", *sys.stdlib_module_names)}


class Workers:
    """The worker that holds the network, and others beside it.

    Args:
        on_stage: told what happens now.

    Attributes:
        session: with the worker that holds the network.
        opened: what it said of the entry point.
        built: what it said of the network.
        chosen: what makes the network, where the weights decided that.
        literal_bytes, longest_literal: see `Opened`.
        printed: by workers that are gone.
    """

    def __init__(
        self,
        submission: Submission,
        rules: AssignmentFile,
        box: Box,
        *,
        format_modules: list[str],
        input_shape: tuple[int, int, int],
        on_stage: Callable[[str], None],
        stopping: threading.Event,
    ) -> None:
        self.submission, self.rules, self.input_shape, self.on_stage = submission, rules, input_shape, on_stage
        self._box, self._format_modules, self._stopping = box, format_modules, stopping
        self.session = WorkerSession(self._start, self._greet)
        self.opened: Opened | None = None
        self.built: Built | None = None
        self.chosen: Candidate | None = None
        self.literal_bytes, self.longest_literal = 0, ""
        self.printed = ""

    @property
    def entry_points(self) -> tuple[str, ...]:
        """Names that may make the network."""
        asked_for = self.submission.settings.entry_point
        return (asked_for,) if asked_for else self.rules.submission.entry_points

    @property
    def weights_file(self) -> str:
        """As the worker sees it."""
        assert self.submission.weights is not None, "without one, nothing is built"
        return self.submission.weights.as_posix()

    @property
    def construction(self) -> Build:
        """How the network is built."""
        pickled = self.chosen is not None and not self.chosen.entry_point
        return Build(
            model_arguments=self.submission.settings.model_arguments or self.rules.submission.model_arguments,
            input_shape=self.input_shape,
            pickled_in=self.weights_file if pickled else "",
        )

    def fitted(self, read: Answer[Decoded]) -> Fitted:
        """The network, built, and the weights under its names.

        Raises:
            SubmissionError: it cannot be built, or they do not fit.
        """
        self.session.greeted()
        assert self.built is not None
        return fitted(read, self.built, self._adopt)

    def choose(self, candidate: Candidate) -> None:
        """Have that make the network from now on."""
        self.session.close()
        self.session.notes.clear()
        self.chosen, self.built = candidate, None

    def apart(self, request: Request[ReplyT], tensors: Weights, **rest: Any) -> Answer[ReplyT]:
        """Ask a fresh worker that has read the sources and built nothing.

        Raises:
            PluginError: a weights format failed at decoding, before anything of the student's ran.
        """
        try:
            return self._once(self._greet_apart, request, tensors, **rest)
        except Refusal as refusal:
            if refusal.plugin and isinstance(request, Decode):
                raise PluginError(refusal.reason) from None
            raise

    def built_again(self) -> Weights:
        """The tensors of a second instance that has no weights in it; none where it cannot be built or traced."""
        limits = self.rules.limits
        try:
            return self._once(
                self._greet_again,
                Trace(classes=self.rules.images.classes, batch=2),
                {},
                doing="tracing the network again",
                seconds=limits.build_seconds,
                max_reply_bytes=limits.tensor_bytes + SMALL_REPLY_BYTES,
            ).tensors
        except SubmissionError:
            return {}

    def measuring(self) -> Worker:
        """One without the submission, for graphs."""
        return self._box.measuring_worker(self._usage, self._stopping)

    def _once(
        self, greet: Callable[[WorkerSession], None], request: Request[ReplyT], tensors: Weights, **rest: Any
    ) -> Answer[ReplyT]:
        session = WorkerSession(self._start, greet)
        try:
            return session.ask(request, tensors, **rest)
        finally:
            session.close()
            self.printed += session.printed

    def _adopt(self, versions: Mapping[str, int], tensors: Weights) -> Answer[Adopted]:
        limits = self.rules.limits
        return self.session.ask(
            Adopt(versions=dict(versions)),
            tensors,
            doing="loading the weights file",
            seconds=limits.build_seconds,
            max_reply_bytes=limits.tensor_bytes + SMALL_REPLY_BYTES,
        )

    def _start(self) -> Worker:
        return self._box.worker(
            self.submission.folder, self._usage, self._stopping, torchvision=self._imports_more_than_torch
        )

    @cached_property
    def _imports_more_than_torch(self) -> bool:
        """Whether some source asks for a package that may need torchvision, or for torch's compiler, which comes with
        it; as far as can be seen without parsing.
        """
        own = {part for each in self.submission.sources for part in each.with_suffix("").parts}
        usual = _USUAL | {each.encode() for each in own}
        files = (self.submission.folder / each for each in self.submission.sources)
        texts = (each.read_bytes() for each in files)
        return any(_COMPILING.search(text) or set(_IMPORTED.findall(text)) - usual for text in texts)

    @property
    def _usage(self) -> Usage:
        return Usage.within(self.rules.limits)

    def _greet(self, session: WorkerSession) -> None:
        self.opened, self.built = self._import_and_build(session)

    def _greet_again(self, session: WorkerSession) -> None:
        self._import_and_build(session, other_random_numbers=True)

    def _greet_apart(self, session: WorkerSession) -> None:
        opened = self._read(session, ())
        self.literal_bytes, self.longest_literal = opened.literal_bytes, opened.longest_literal

    def _import_and_build(self, session: WorkerSession, *, other_random_numbers: bool = False) -> tuple[Opened, Built]:
        opened = self._read(session, self._loaded, other_random_numbers=other_random_numbers)
        if self.chosen is not None:
            opened = opened.model_copy(update={"source": self.chosen.place})
        self.on_stage("building")
        doing, seconds = "building the network and trying it on an empty image", self.rules.limits.build_seconds
        return opened, session.ask(self.construction, doing=doing, seconds=seconds).said

    def _read(
        self, session: WorkerSession, entry_points: tuple[str, ...], *, other_random_numbers: bool = False
    ) -> Opened:
        request = Open(
            formats=tuple(self._format_modules),
            sources=tuple(each.as_posix() for each in self.submission.sources),
            entry_points=entry_points,
            other_random_numbers=other_random_numbers,
        )
        seconds = self.rules.limits.import_seconds
        return session.ask(request, doing="importing the submission", seconds=seconds).said

    @property
    def _loaded(self) -> tuple[str, ...]:
        """What a worker imports: by name, or what the weights chose; nothing where the network is in their file."""
        if self.chosen is None:
            return self.entry_points
        return (self.chosen.entry_point,) if self.chosen.entry_point else ()
