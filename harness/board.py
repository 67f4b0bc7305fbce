"""The leaderboard as frozen values, ready to be rendered: everything is computed, nothing is text yet."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from harness.api import Metric, Value
from harness.assignment import RankKey
from harness.results import AssignmentInfo, Status, describe_status, is_evidence
from harness.text import clean

BRIEF = frozenset({"parameters", "stored_bytes"})

Figures = Literal["all", "public", "private"]
"""Whose images a board ranks by: all of them where the assignment does not split its data."""


class Standing(Value):
    """A row of the board."""

    rank: int
    """From 1. Those equal in every ranking metric share a rank, and the next rank counts them: 1, 2, 2, 4."""
    tie: bool = False
    """Whether another row has the same rank."""
    name: str
    """The nickname, else the submission's id; never the name of another row."""
    submission: str | None
    """The submission's id; None on the class's board where a nickname stands for it."""
    members: tuple[str, ...] = ()
    """Who handed it in; empty on the class's board."""
    score: float
    max_score: float
    metrics: dict[str, Metric]
    """Those the board ranks by, in its order, then those of `Board.further` that were measured."""
    failed_checks: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    """Checks that need a person."""
    stand_in: bool
    """Graded on data that only looks like the real thing."""
    p_value: float | None = None
    """Exact McNemar test against the leader on the images the board ranks by, two-sided, Holm-adjusted over all rows
    that were compared. None for the leader, and where it is not known which images were right."""
    distinguishable: bool | None = None
    """Whether it can be told from the leader: `p_value` is at most 0.05."""
    pareto: bool | None = None
    """Whether no other row is better in one of `Board.pareto` and at least as good in the other; None: not measured."""
    attempts: int = 1
    """How many different hand-ins of this submission were graded."""
    submitted_at: datetime | None = None
    late_days: int | None = None
    """Days of lateness that count, 0 when in time; None where there is no due date or the time is unknown."""


class Unranked(Value):
    """A submission that has no place, and why."""

    name: str
    submission: str | None
    members: tuple[str, ...] = ()
    status: Status
    reason: str
    attempts: int = 1
    submitted_at: datetime | None = None
    late_days: int | None = None


class Baseline(Value):
    """A named accuracy of the assignment, as a line of the board."""

    name: str
    accuracy: float
    reached_by: int | None
    """How many rows reach it: the first so many, the line stands below them. None where the board does not rank by
    accuracy first."""


class Axes(Value):
    """The two metrics of the Pareto front and of the board's plot."""

    x: str
    y: str
    x_higher_is_better: bool
    y_higher_is_better: bool


class Board(Value):
    """What the writers render. Rows come ranked; equal ones by submission id."""

    board_version: Literal[1] = 1
    assignment: AssignmentInfo
    title: str
    figures: Figures = "all"
    ranking: tuple[RankKey, ...]
    """With the metrics the board really ranks by, such as `accuracy_public`."""
    further: tuple[str, ...] = ()
    """Metrics shown beside them, in this order; at least one row has each."""
    pareto: Axes | None = None
    """None where the two metrics would be one."""
    baselines: tuple[Baseline, ...] = ()
    """Highest first."""
    standings: tuple[Standing, ...]
    unranked: tuple[Unranked, ...]
    frozen_at: datetime | None = None
    """Later attempts are not on the board."""

    @property
    def stand_in(self) -> bool:
        """Whether any row was graded on a stand-in."""
        return self.assignment.data.stand_in or any(row.stand_in for row in self.standings)

    @property
    def briefly(self) -> tuple[str, ...]:
        """The further metrics that a narrow table shows."""
        return tuple(name for name in self.further if name in BRIEF)

    @property
    def private(self) -> bool:
        """Whether the board shows figures of private images."""
        return self.figures == "private"

    def lines(self) -> list[Standing | Baseline]:
        """The rows in their order with the baselines between them, where the board ranks by accuracy first."""
        lines: list[Standing | Baseline] = list(self.standings)
        # From the lowest line up, so that the places of the others stay what they are.
        for baseline in reversed(self.baselines):
            if baseline.reached_by is not None:
                lines.insert(baseline.reached_by, baseline)
        return lines

    def for_class(self) -> Board:
        """The board without ids and members behind nicknames, integrity findings, and the text of exceptions.

        A crash's message is written by the submission's own code, which has seen the graded images: showing it to
        students would tell them about private data.
        """
        standings = [
            row.model_copy(
                update={
                    "submission": _public_id(row),
                    "members": (),
                    "failed_checks": tuple(name for name in row.failed_checks if not is_evidence(name)),
                    "unchecked": tuple(name for name in row.unchecked if not is_evidence(name)),
                }
            )
            for row in self.standings
        ]
        unranked = [
            row.model_copy(
                update={
                    "submission": _public_id(row),
                    "members": (),
                    "reason": row.reason if row.status == "graded" else describe_status(row.status),
                }
            )
            for row in self.unranked
        ]
        return self.model_copy(update={"standings": tuple(standings), "unranked": tuple(unranked)})


def marks(row: Standing) -> str:
    """What is remarkable about a row, in a sign or two; `used_marks` says what they mean."""
    return f"{'≈' if row.distinguishable is False else ''}{'◆' if row.pareto else ''}"


def used_marks(board: Board) -> dict[str, str]:
    """The signs on a board and their meanings."""
    used = "".join(map(marks, board.standings))
    meanings = {"≈": "cannot be told from the leader on these images (exact McNemar test, 5 %, Holm over all rows)"}
    if board.pareto is not None:
        meanings["◆"] = f"on the Pareto front of {board.pareto.y} against {board.pareto.x}"
    return {mark: meaning for mark, meaning in meanings.items() if mark in used}


def _public_id(row: Standing | Unranked) -> str | None:
    """The id where the name shows it anyway, else None."""
    if row.submission is None:
        return None
    shown = clean(row.submission, 120)
    return row.submission if row.name == shown or row.name.endswith(f" ({shown})") else None
