"""Grade a class into a store: every result is kept as soon as it is there, and what was graded before is not graded
again.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from harness.assignment.loading import Assignment
from harness.data.data_sets import DataSets
from harness.grading import grader
from harness.grading.events import GradingEvents, Progress
from harness.plugins import Plugins
from harness.sandbox import Sandbox
from harness.store.store import Store
from harness.submission.hand_in import HandIn
from harness.values.results import Attempt, Environment, Result


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
    fresh: set[str] = field(default_factory=set)
    """Submissions graded in this run."""
    unchanged: set[str] = field(default_factory=set)
    """Submissions whose earlier result holds."""
    _watcher: GradingEvents = field(default_factory=GradingEvents)
    _graded_before: dict[str, str] = field(default_factory=dict)
    """Submission -> the digest of the files that its newest result is about."""
    _weights: dict[str, bytes] = field(default_factory=dict)
    """Of submissions whose result has not come yet."""

    def grade(self, watcher: GradingEvents | None = None, *, regrade: bool = False) -> Generator[Result]:
        """Grade what needs it, yielding each result once it is kept; closing the generator stops what is running.

        Args:
            watcher: hears of the progress.
            regrade: also what has not changed since it was graded.

        Raises:
            UsageError: the assignment's data cannot be read.
        """
        info = self.images.info()
        self._watcher = watcher or GradingEvents()
        self._graded_before = {} if regrade else dict(self.store.graded(info, self.environment))
        with closing(self._results()) as results:
            for result in results:
                kept = self.store.add(info, self.environment, result, self._weights.pop(result.submission, None))
                self.fresh.add(kept.submission)
                yield kept

    def attempts(self) -> tuple[Attempt, ...]:
        """The newest attempt of every submission of this run that has been graded, now or before."""
        ours = self.fresh | self.unchanged
        kept = self.store.latest(self.assignment.id, depth="everything")
        return tuple(each for each in kept if each.result.submission in ours)

    def on_progress(self, progress: Progress) -> None:
        """Pass it on."""
        self._watcher.on_progress(progress)

    def on_weights(self, submission: str, weights: bytes) -> None:
        """Keep them until the result comes."""
        self._weights[submission] = weights

    def skip(self, submission: str, digest: str) -> bool:
        """Whether the store has a result of these very files, under these rules and on these images."""
        if self._graded_before.get(submission) != digest:
            return False
        self.unchanged.add(submission)
        return True

    def _results(self) -> Generator[Result]:
        yield from grader.grade_all(
            self.assignment,
            self.submissions,
            plugins=self.plugins,
            sandbox=self.sandbox,
            jobs=self.jobs,
            events=self,
            data=self.images,
            image_seed=self.store.secret("image order"),
        )
