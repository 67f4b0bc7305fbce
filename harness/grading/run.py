"""Grade a class into a store: every result is kept as soon as it is there, and what is known is not found out again.

files unchanged, nothing about measuring changed    not even read (`Keys.conditions`)
files unchanged, another evaluator                  measured from what is kept; student code does not run
files changed                                       the code runs once; a network that is the same is not measured
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property

from harness.assignment.loading import Assignment
from harness.board.judged import judge_of
from harness.data.data_sets import DataSets
from harness.grading import grader
from harness.grading.events import GradingEvents, Progress
from harness.grading.keys import Keys
from harness.grading.memory import StoreMemory
from harness.plugins import Plugins
from harness.sandbox import Sandbox
from harness.store.store import Store
from harness.submission.hand_in import HandIn
from harness.values.measured import Measured, parts_to_json
from harness.values.results import AssignmentInfo, Attempt, Environment, Result


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
    graded: set[str] = field(default_factory=set)
    """Submissions with a new result of this run."""
    unchanged: set[str] = field(default_factory=set)
    """Submissions whose earlier result holds."""
    _watcher: GradingEvents = field(default_factory=GradingEvents)
    _graded_before: dict[str, str] = field(default_factory=dict)
    """Submission -> the digest of the files that its newest result is about."""
    _weights: dict[str, bytes] = field(default_factory=dict)
    """Of submissions whose result has not come yet."""
    _parts: dict[str, Mapping[str, Measured]] = field(default_factory=dict)
    """Likewise."""

    def grade(self, watcher: GradingEvents | None = None, *, fresh: bool = False) -> Generator[Result]:
        """Grade what needs it, yielding each result once it is kept; closing the generator stops what is running.

        Args:
            watcher: hears of the progress.
            fresh: whether to run and measure everything again, whatever is known.

        Raises:
            UsageError: the assignment's data cannot be read.
        """
        self._watcher = watcher or GradingEvents()
        conditions = {self.keys.conditions(graded=each) for each in (True, False)}
        self._graded_before = {} if fresh else self.store.graded(self.assignment.id, conditions)
        with closing(self._results(fresh=fresh)) as results:
            for result in results:
                self._keep(result)
                self.graded.add(result.submission)
                yield result

    def attempts(self) -> tuple[Attempt, ...]:
        """The newest attempt of every submission of this run that has been graded, now or before, by today's rules."""
        ours = self.graded | self.unchanged
        kept = self.store.latest(self.assignment.id, depth="everything")
        return tuple(self.keys.judge.judged(each) for each in kept if each.result.submission in ours)

    @cached_property
    def info(self) -> AssignmentInfo:
        """What results carry of the assignment."""
        return self.images.info()

    @cached_property
    def keys(self) -> Keys:
        """What decides the outcomes of this run."""
        return Keys(
            self.assignment,
            judge_of(self.assignment),
            {name: self.plugins.evaluator_version(name) for name in self.assignment.options},
            self.environment.harness,
            self.environment.sandbox,
            {**self.images.digests(), "teacher": _teacher(self.assignment)},
        )

    def on_progress(self, progress: Progress) -> None:
        """Pass it on."""
        self._watcher.on_progress(progress)

    def on_weights(self, submission: str, weights: bytes) -> None:
        """Keep them until the result comes."""
        self._weights[submission] = weights

    def on_parts(self, submission: str, parts: Mapping[str, Measured]) -> None:
        """Keep them until the result comes."""
        self._parts[submission] = parts

    def skip(self, submission: str, digest: str) -> bool:
        """Whether the store has a result of these very files, under these rules and on these images."""
        if self._graded_before.get(submission) != digest:
            return False
        self.unchanged.add(submission)
        return True

    def _keep(self, result: Result) -> None:
        ours = result.status == "harness_error"
        self.store.add(
            self.info,
            self.environment,
            result,
            self._weights.pop(result.submission, None),
            parts=parts_to_json(self._parts.pop(result.submission, {})),
            conditions=None if ours else self.keys.conditions(graded=result.status == "graded"),
        )

    def _results(self, *, fresh: bool) -> Generator[Result]:
        yield from grader.grade_all(
            self.assignment,
            self.submissions,
            plugins=self.plugins,
            sandbox=self.sandbox,
            jobs=self.jobs,
            events=self,
            data=self.images,
            image_seed=self.store.secret("image order"),
            memory=StoreMemory(self.store, self.assignment.rules.limits.kept_bytes, fresh=fresh),
            keys=self.keys,
        )


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
