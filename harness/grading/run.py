"""Grade a class into a store: every result is kept as soon as it is there, and what is known is not found out again.

files unchanged, nothing about measuring changed    not even read (`Keys.conditions`)
files unchanged, another evaluator                  measured from what is kept; student code does not run
files changed                                       the code runs once; a network that is the same is not measured
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from harness.assignment.loading import Assignment
from harness.board.judged import judge_of
from harness.contracts.executors import Crew
from harness.data.data_sets import DataSets
from harness.grading.events import GradingEvents, Progress
from harness.grading.keys import ENDS, Keys
from harness.plugins import Plugins
from harness.sandbox import Sandbox
from harness.store.claims import Claims
from harness.store.store import Depth, Store
from harness.store.tables import Basis
from harness.submission.hand_in import HandIn
from harness.submission.signatures import file_signature
from harness.submission.staging import is_source
from harness.values.measured import Measured, parts_to_json
from harness.values.results import AssignmentInfo, Attempt, Environment, Result

_PAUSE_SECONDS = 0.5


@dataclass
class Run(GradingEvents):
    """One run over a list of submissions; any number of them may follow each other on one store."""

    assignment: Assignment
    plugins: Plugins
    sandbox: Sandbox
    submissions: Sequence[HandIn]
    images: DataSets
    store: Store
    environment: Environment
    jobs: int
    hired: Callable[[], AbstractContextManager[Crew | None]] = nullcontext
    """Those who measure verified networks, for as long as there are any to measure; None: nobody but us."""
    graded: set[str] = field(default_factory=set)
    """Submissions with a new result of this run."""
    unchanged: set[str] = field(default_factory=set)
    """Submissions whose earlier result holds."""
    measured: Counter[str] = field(default_factory=Counter)
    """Evaluator -> submissions that it was run on."""
    reused: Counter[str] = field(default_factory=Counter)
    """Evaluator -> submissions with a new result for which what it had found still held."""
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    _counting: threading.Lock = field(default_factory=threading.Lock)
    _watcher: GradingEvents = field(default_factory=GradingEvents)
    _graded_before: dict[str, str] = field(default_factory=dict)
    """Submission -> the digest of the files that its newest result is about."""
    _files: dict[Path, str] = field(default_factory=dict)
    """Signatures by path, as they were before anything was read."""
    _weights: dict[str, bytes] = field(default_factory=dict)
    _sources: dict[str, bytes] = field(default_factory=dict)
    """Of submissions whose result has not come yet."""
    _parts: dict[str, Mapping[str, Measured]] = field(default_factory=dict)
    """Likewise."""
    _elsewhere: set[str] = field(default_factory=set)
    """Submissions that another grader works on."""
    _newest: int = 0
    """The store's last attempt when the run began."""

    def grade(self, watcher: GradingEvents | None = None, *, fresh: bool = False) -> Generator[Result]:
        """Grade what needs it, yielding each result once it is kept; closing the generator stops what is running.

        Args:
            watcher: hears of the progress.
            fresh: whether to run and measure everything again, whatever is known.

        Raises:
            UsageError: the assignment's data cannot be read.
        """
        self._watcher = watcher or GradingEvents()
        new = {each.id for each in self.submissions} - set(self.store.submissions(self.assignment.id))
        if new or fresh:
            self.sandbox.warm()  # torch is imported there while images are decoded here
        self._newest = self.store.newest()
        left = list(self.submissions) if fresh else self._changed()
        if not left:
            return
        with self._claims.kept():
            while left:
                yield from self._graded(left, fresh=fresh)
                left = self._left_by_others()

    def _graded(self, submissions: Sequence[HandIn], *, fresh: bool) -> Generator[Result]:
        with closing(self._results(submissions, fresh=fresh)) as results:
            for result in results:
                kept = self._keep(result, self._by_id[result.submission])
                self._claims.release(kept.submission)
                self.graded.add(kept.submission)
                yield kept

    def _left_by_others(self) -> list[HandIn]:
        """Submissions that another grader had, once it is done with one of them, or dead."""
        while self._elsewhere:
            free = {name for name in self._elsewhere if not self._claims.is_held(name)}
            if free:
                self._elsewhere -= free
                return [each for each in self.submissions if each.id in free]
            for name in self._elsewhere:
                self.on_progress(Progress(name, "waiting for another grader"))
            time.sleep(_PAUSE_SECONDS)
        return []

    def _changed(self) -> list[HandIn]:
        """Submissions that have to be read; of the others the earlier result holds."""
        known = self.store.graded(self.assignment.id, self._conditions_now)
        self._graded_before = {name: digest for name, (digest, _) in known.items()}
        left = []
        for each in self.submissions:
            if (signature := self.signature(each)) and known.get(each.id, ("", None))[1] == signature:
                self.unchanged.add(each.id)
            else:
                left.append(each)
        return left

    def signature(self, hand_in: HandIn) -> str | None:
        """Of its files and of what is known of it beside them; None where they cannot be listed."""
        path = hand_in.path
        if path not in self._files:  # a download holds many submissions
            with suppress(OSError):
                self._files[path] = file_signature(_consists_of(path))
        if path not in self._files:
            return None
        beside = repr(replace(hand_in, path=Path()))
        return hashlib.sha256(f"{beside} {self._files[path]}".encode("utf-8", "surrogateescape")).hexdigest()

    def attempts(self, depth: Depth = "everything") -> tuple[Attempt, ...]:
        """The newest attempt of every submission of this run that has been graded, now or before, by today's rules."""
        ours = self.graded | self.unchanged
        kept = self.store.latest(self.assignment.id, depth=depth)
        return tuple(self.keys.judge.judged(each) for each in kept if each.result.submission in ours)

    @cached_property
    def _by_id(self) -> Mapping[str, HandIn]:
        return {each.id: each for each in self.submissions}

    @cached_property
    def _conditions_now(self) -> frozenset[str]:
        return frozenset(self.keys.conditions(each) for each in ENDS)

    @cached_property
    def _claims(self) -> Claims:
        return self.store.claims(self.assignment.id)

    @cached_property
    def info(self) -> AssignmentInfo:
        """What results carry of the assignment, with the digest of its images at the default size."""
        info = self.assignment.info
        return info.model_copy(update={"data": info.data.model_copy(update={"digest": self.digests["test"]})})

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """Data set -> digest; images whose files have not changed since are not decoded for it."""
        return {name: self._digest(name) for name in self.assignment.rules.data}

    def _digest(self, name: str) -> str:
        key = f"data {self.images.signature(name)[:40]}"
        known = self.store.remembered(key)
        if known is None:
            known = self.images.digest(name)
            self.store.remember(key, known)
        return known

    @cached_property
    def keys(self) -> Keys:
        """What decides the outcomes of this run."""
        return Keys(
            self.assignment,
            judge_of(self.assignment),
            {name: self.plugins.evaluator_version(name) for name in self.assignment.options},
            self.environment.harness,
            self.environment.sandbox,
            {**self.digests, "teacher": _teacher(self.assignment)},
            self.environment.device,
        )

    def on_progress(self, progress: Progress) -> None:
        """Pass it on."""
        self._watcher.on_progress(progress)

    def on_weights(self, submission: str, weights: bytes) -> None:
        """Keep them until the result comes."""
        self._weights[submission] = weights

    def on_sources(self, submission: str, sources: bytes) -> None:
        """Keep them until the result comes."""
        self._sources[submission] = sources

    def on_parts(self, submission: str, parts: Mapping[str, Measured]) -> None:
        """Keep them until the result comes."""
        self._parts[submission] = parts
        with self._counting:
            for name, part in parts.items():
                (self.measured if part.at >= self.began else self.reused)[name] += 1

    def on_unreachable(self, reason: str) -> None:
        """Pass it on."""
        self._watcher.on_unreachable(reason)

    def skip(self, submission: str, digest: str) -> bool:
        """Whether the store has a result of these very files, under these rules and on these images, and the learning
        platform says nothing else of them.
        """
        if self._graded_before.get(submission) == digest and not self._said_otherwise(submission):
            self.unchanged.add(submission)
            return True
        if self.waits(submission, digest):
            return True
        if not self._claims.take(submission):
            self._elsewhere.add(submission)
            return True
        if not self._graded_meanwhile(submission, digest):
            return False
        self._claims.release(submission)
        self.unchanged.add(submission)
        return True

    def waits(self, submission: str, digest: str) -> bool:  # noqa: ARG002 - for those who override it
        """Whether a submission is not to be graded now."""
        return False

    def _graded_meanwhile(self, submission: str, digest: str) -> bool:
        """Whether another grader has done it since this run began."""
        found = self.store.graded_since(self.assignment.id, submission, self._newest)
        return found is not None and found[0] == digest and found[1] in self._conditions_now

    def _said_otherwise(self, submission: str) -> bool:
        """Whether a platform says now when it came or that it is late, and did not say so when it was graded."""
        found = self._by_id[submission]
        before = self.store.history(self.assignment.id, submission)[-1].result
        timed = before.submitted_at if before.time_source == "platform" else None
        said = {(found.submitted_at, timed), (found.late, before.late_mark)}
        return any(now is not None and now != then for now, then in said)

    def _keep(self, result: Result, hand_in: HandIn) -> Result:
        return self.store.add(
            self.info,
            self.environment,
            result,
            self._weights.pop(result.submission, None),
            Basis(
                parts_to_json(self._parts.pop(result.submission, {})),
                self._conditions(result),
                self.signature(hand_in),
            ),
            sources=self._sources.pop(result.submission, None),
        )

    def _conditions(self, result: Result) -> str | None:
        """Under which it would come out the same; None where it might not."""
        match result.status:
            case "harness_error":
                return None
            case "graded":
                return self.keys.conditions("graded")
            case _:
                return self.keys.conditions("measuring" if result.network is not None else "opening")

    def _results(self, submissions: Sequence[HandIn], *, fresh: bool) -> Generator[Result]:
        # Here, because a class that has not changed needs neither torch nor a sandbox.
        from harness.grading import grader
        from harness.grading.memory import StoreMemory
        from harness.networks.device import Device

        with self.hired() as crew:
            yield from grader.grade_all(
                self.assignment,
                submissions,
                plugins=self.plugins,
                sandbox=self.sandbox,
                jobs=self.jobs,
                events=self,
                data=self.images,
                image_seed=self.store.secret("image order"),
                memory=StoreMemory(self.store, self.assignment.rules.limits.kept_bytes, fresh=fresh),
                keys=self.keys,
                crew=crew,
                device=None if self.environment.device == "cpu" else Device(self.environment.device),
            )


def _consists_of(path: Path) -> list[Path]:
    """The paths of a hand-in: of a source that was handed in alone, also what may be its weights."""
    if path.is_file() and is_source(path):
        return [each for each in path.parent.iterdir() if each.is_file()]
    return [path]


def _teacher(assignment: Assignment) -> str:
    """A digest of the assignment's own network; empty where it has none."""
    rules = assignment.rules.teacher
    if rules is None:
        return ""
    digest = hashlib.sha256(rules.model_dump_json(exclude={"path"}).encode())
    for name in (rules.source, rules.weights):
        file = assignment.source.parent / rules.path / name
        digest.update(file.read_bytes() if file.is_file() else b"")
    return digest.hexdigest()
