"""Put a class's board together from its store: what was graded, decided, and given by hand."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from harness.assignment.loading import Assignment
from harness.board.builder import BoardBuilder, BoardInputs, overridden
from harness.board.judged import judged
from harness.board.matching import RosterFile, fitted_roster
from harness.board.times import HandInTimes, read_times
from harness.errors import UsageError
from harness.points.manual import read_manual_points
from harness.store.store import Depth, Store
from harness.values.board import Board
from harness.values.decisions import BoardState, in_force, state_after
from harness.values.results import Attempt
from harness.values.rules import AssignmentFile


@dataclass(frozen=True, slots=True)
class BoardRequest:
    """What someone asks of a board."""

    private: bool = False
    """Figures and ranks of the private images; a published board has them anyway."""
    live: bool = False
    """Also attempts after the board was frozen."""
    anonymous: bool = False
    """Pseudonyms, also where the assignment has nicknames."""
    manual: Path | None = None
    roster: Path | RosterFile | None = None
    times: Path | None = None
    handed_in: frozenset[str] = frozenset()
    """Ids that tables may name although nothing of theirs was graded yet."""
    details: bool = False
    """Also what reports show of each attempt."""

    @property
    def roster_path(self) -> Path | None:
        """The roster's file."""
        return self.roster.path if isinstance(self.roster, RosterFile) else self.roster


@dataclass(frozen=True, slots=True)
class ClassRecord:
    """A board with what it was made from."""

    board: Board
    attempts: tuple[Attempt, ...]
    """The one that counts of everyone on the board, with times and overrides applied."""
    state: BoardState
    inputs: BoardInputs
    rules: AssignmentFile
    said: tuple[str, ...] = ()
    """How well the roster fits, for the instructor."""

    def decided(self, attempt: Attempt) -> Attempt:
        """Another reading of an attempt, such as one with all details, with times and overrides applied."""
        return overridden(self.inputs.times.applied(attempt), self.inputs.overrides, self.rules)


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection: it would look at millions of objects again and again, and all of them stay."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


@_uncollected()
def class_record(store: Store, assignment: Assignment, wanted: BoardRequest) -> ClassRecord:
    """The instructor's board; `Board.for_class` is what the class may see.

    Raises:
        UsageError: nothing was graded, the assignment does not split its data, or a file cannot be read.
        TableError: the roster, the times or the manual points have mistakes.
    """
    state = state_after(store.events(assignment.id))
    frozen_at = None if wanted.live else state.frozen_at
    attempts = _attempts(store, assignment, frozen_at, "details" if wanted.details else "brief")
    if not attempts:
        raise UsageError(f"{store.url} holds no results of {assignment.id}: 'harness grade' makes them")
    split = assignment.rules.data["test"].public_fraction is not None
    if wanted.private and not split:
        raise UsageError(f"--private: {assignment.id} does not split its images into public and private ones")
    accounts = {each.result.submission: each.result.accounts for each in attempts}
    submissions = set(accounts) | wanted.handed_in
    known_as = dict.fromkeys(sorted(wanted.handed_in), ()) | accounts
    roster, said = (None, ()) if wanted.roster is None else fitted_roster(wanted.roster, known_as)
    groups = roster.groups if roster else {}
    manual, late = assignment.rules.rubric.manual, assignment.rules.rubric.late
    known = submissions | set(groups)
    anonymous = wanted.anonymous or assignment.rules.board.names == "anonymous"
    inputs = BoardInputs(
        figures="private" if split and (wanted.private or state.published) else None,
        counts=store.counts(assignment.id, until=frozen_at),
        overrides=in_force(store.overrides(assignment.id)),
        manual_points={} if wanted.manual is None else read_manual_points(wanted.manual, manual, known, groups),
        roster=roster,
        times=HandInTimes() if wanted.times is None else read_times(wanted.times, late, submissions, groups),
        frozen_at=frozen_at,
        pseudonym_key=store.secret("pseudonyms").encode() if anonymous else None,
    )
    making = BoardBuilder.of(attempts, assignment, inputs)
    return ClassRecord(making.board(), tuple(making.attempts), state, inputs, assignment.rules, said)


def _attempts(store: Store, assignment: Assignment, frozen_at: datetime | None, depth: Depth) -> tuple[Attempt, ...]:
    """By today's rules; only the newest where that is enough: a class hands in many times."""
    if assignment.rules.board.attempts == "best" or frozen_at is not None:
        return judged(store.attempts(assignment.id, depth=depth), assignment)
    return judged(store.latest(assignment.id, depth=depth), assignment)
