"""Put a class's board together from its store: what was graded, decided, and given by hand."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.assignment.loading import Assignment
from harness.board.absences import LeftOut
from harness.board.builder import BoardBuilder, BoardInputs, overridden
from harness.board.judged import judged
from harness.board.matching import RosterFile, fitted_roster
from harness.board.roster import Roster
from harness.board.times import HandInTimes, read_times
from harness.errors import UsageError
from harness.points.manual import read_manual_points
from harness.store.store import Depth, Store
from harness.values.board import Board
from harness.values.decisions import BoardState, Request, Ruling, in_force, rulings_in_force, state_after
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
    rulings: tuple[tuple[str, Ruling], ...]
    requests: tuple[tuple[str, Request], ...]
    said: tuple[str, ...] = ()
    """How well the roster fits, for the instructor."""

    def decided(self, attempt: Attempt) -> Attempt:
        """Another reading of an attempt, such as one with all details, with times and overrides applied."""
        return overridden(self.inputs.times.applied(attempt), self.inputs.overrides, self.rules)


def histories(
    store: Store, assignment: Assignment, groups: Mapping[str, str], *, until: datetime | None = None
) -> Mapping[str, Sequence[Attempt]]:
    """Person, team or submission -> all that was graded of theirs, oldest first, by the rules as they are now.

    Args:
        groups: submission id -> whose it is, where a roster says so.
        until: leave out what was graded later.
    """
    found: dict[str, list[Attempt]] = {}
    for each in judged(store.attempts(assignment.id, depth="brief"), assignment):
        if until is None or each.graded_at <= until:
            found.setdefault(groups.get(each.result.submission, each.result.submission), []).append(each)
    return found


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
    decisions = store.decisions(assignment.id)
    state, rulings = state_after(decisions.events()), decisions.rulings()
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
    whole, said = (Roster(()), ()) if wanted.roster is None else fitted_roster(wanted.roster, known_as)
    manual, known = assignment.rules.rubric.manual, submissions | set(whole.groups)
    removed = LeftOut(rulings_in_force(rulings, "removed"), whole)
    excused = LeftOut(rulings_in_force(rulings, "excused"), removed.rest())
    anonymous = wanted.anonymous or assignment.rules.board.names == "anonymous"
    inputs = BoardInputs(
        figures="private" if split and (wanted.private or state.published) else None,
        counts=store.counts(assignment.id, until=frozen_at),
        overrides=in_force(decisions.overrides()),
        manual_points={} if wanted.manual is None else read_manual_points(wanted.manual, manual, known, whole.groups),
        roster=None if wanted.roster is None else excused.rest(),
        excused=excused.excused(),
        times=_times(wanted.times, assignment, submissions, whole.groups, rulings_in_force(rulings, "extended")),
        frozen_at=frozen_at,
        pseudonym_key=store.secret("pseudonyms").encode() if anonymous else None,
    )
    making = BoardBuilder.of(excused.attempts(removed.attempts(attempts)), assignment, inputs)
    return ClassRecord(
        making.board(), tuple(making.attempts), state, inputs, assignment.rules, rulings, decisions.requests(), said
    )


def _times(
    path: Path | None,
    assignment: Assignment,
    submissions: Collection[str],
    groups: Mapping[str, str],
    extensions: Mapping[str, Ruling],
) -> HandInTimes:
    """What the instructor's table says, with the time that was given by `harness extend`."""
    late = assignment.rules.rubric.late
    times = HandInTimes(groups=groups) if path is None else read_times(path, late, submissions, groups)
    return times.extended(extensions, (late.zone if late else None) or UTC)


def _attempts(store: Store, assignment: Assignment, frozen_at: datetime | None, depth: Depth) -> tuple[Attempt, ...]:
    """By today's rules; only the newest where that is enough: a class hands in many times."""
    if assignment.rules.board.attempts == "best" or frozen_at is not None:
        return judged(store.attempts(assignment.id, depth=depth), assignment)
    return judged(store.latest(assignment.id, depth=depth), assignment)
