"""Make reports from a store: of one submission, or of everyone on the board."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.assignment.loading import Assignment, metric_limits
from harness.board.judged import judged
from harness.board.record import BoardRequest, ClassRecord, class_record, histories
from harness.errors import UsageError
from harness.plugins import Plugins
from harness.report.decisions import decision_sentences
from harness.report.view import report
from harness.store.store import Store
from harness.values.base import Audience
from harness.values.board import Entry
from harness.values.report import ReportView
from harness.values.results import Attempt


@dataclass(frozen=True, slots=True)
class Telling:
    """A class's reports for one kind of reader."""

    store: Store
    assignment: Assignment
    record: ClassRecord
    audience: Audience
    limits: Mapping[str, float]
    histories: Mapping[str, Sequence[Attempt]]
    """Of everyone; whose they are, as `harness.board.record.histories` says it."""

    @classmethod
    def of(
        cls, store: Store, assignment: Assignment, plugins: Plugins, wanted: BoardRequest, audience: Audience
    ) -> Telling:
        """Reports from a store.

        Raises:
            UsageError, TableError: as `class_record` does.
        """
        record = class_record(store, assignment, wanted)
        found = histories(store, assignment, record.inputs.times.groups)
        return cls(store, assignment, record, audience, metric_limits(assignment, plugins), found)

    @property
    def title(self) -> str:
        """Of the assignment."""
        return self.assignment.rules.title

    def one(self, submission: str) -> ReportView:
        """The report of the attempt that counts.

        Raises:
            UsageError: nothing of it was graded.
        """
        attempts = judged(self.store.history(self.assignment.id, submission), self.assignment)
        if not attempts:
            raise UsageError(f"{self.store.url} holds no results of {submission!r} for {self.assignment.id}")
        # Not everything has an attempt on the board: not what came after it was frozen, nor a team's earlier hand-ins.
        counting = {each.number for each in self.record.attempts}
        chosen = self.record.decided(next((each for each in attempts if each.number in counting), attempts[-1]))
        return self._view(chosen, self.record.board.entry(submission))

    def everyone(self) -> list[tuple[Entry, ReportView]]:
        """Every row of the board with its report, in the board's order."""
        counting = {each.result.submission: each for each in self.record.attempts}
        found = [(row, counting[row.submission]) for row in self.record.board.entries if row.submission in counting]
        return [(row, self._view(each, row)) for row, each in found]

    def _view(self, attempt: Attempt, entry: Entry | None) -> ReportView:
        submission = attempt.result.submission
        group = self.record.inputs.times.groups.get(submission, submission)
        told = decision_sentences(
            list(dict.fromkeys((submission, group))),
            self.record.rulings,
            self.record.requests,
            audience=self.audience,
            zone=self.assignment.rules.zone,
        )
        return report(
            attempt,
            self.assignment,
            audience=self.audience,
            entry=entry,
            attempts=self.histories.get(group, ()),
            limits=self.limits,
            published=self.record.state.published,
            decisions=told,
        )
