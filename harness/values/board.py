"""Define the leaderboard, ready to be rendered: everything is computed, nothing is text yet."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Literal, Self

from pydantic import Field

from harness.values.base import Value
from harness.values.decisions import Ruling
from harness.values.measures import Figures, Metric
from harness.values.moments import moment_text
from harness.values.results import AssignmentInfo, PointsPossible, ScoreLine, pending_of
from harness.values.rules import RankKey
from harness.vocabulary import DeviceName, Status, describe_status

UNVERIFIED_SIGN = "○"
UNVERIFIED = "its code ran on every image: not verified"
LATE_UNKNOWN_SIGN = "◷"


class Person(Value):
    """A line of the roster."""

    id: str
    """As the ids of submissions, unless `team` names the submission."""
    name: str
    """As the roster has it, else the id."""
    email: str | None = None
    """As the roster has it."""
    team: str | None = None
    """Those with the same team share a hand-in."""


class Excused(Person):
    """Someone the assignment does not count for: neither a score nor a zero."""

    ruling: Ruling
    """Who decided it, when and why."""

    def told_in(self, zone: tzinfo) -> Self:
        """With the moment by the clocks of `zone`."""
        ruling = self.ruling.model_copy(update={"at": self.ruling.at.astimezone(zone)})
        return self.model_copy(update={"ruling": ruling})


class Overridden(Value):
    """An instructor's override, with what it replaced."""

    at: datetime
    """When."""
    author: str
    """Who."""
    reason: str
    """Why."""
    old_status: Status
    """The status that was found."""
    old_score: float
    """The score without it."""

    @property
    def said(self) -> str:
        """The decision in a sentence, for the instructor."""
        before = f"{describe_status(self.old_status)}, {self.old_score:.6g} points"
        return f"Overridden by {self.author} on {moment_text(self.at)}: {self.reason} (before: {before})"


class Entry(Value):
    """What every submission on a board has, ranked or not."""

    name: str
    """The nickname, pseudonym or id; never the name of another row."""
    submission: str | None
    """The submission's id; None on the class's board where a name stands for it."""
    members: tuple[str, ...] = ()
    """Who handed it in, as the platform and `submission.toml` say; empty on the class's board."""
    accounts: tuple[tuple[str, ...], ...] = ()
    """What the learning platform knows each of them by beside the id; empty on the class's board."""
    people: tuple[Person, ...] = ()
    """Whose it is, as the roster says; empty on the class's board."""
    status: Status
    """See [statuses](#statuses)."""
    score: float
    """The sum of `points`."""
    max_score: float
    """The most it could be."""
    possible: PointsPossible
    """The whole that the score is part of."""
    points: tuple[ScoreLine, ...] = ()
    """On the class's board only lines that are `public`."""
    metrics: dict[str, Metric] = Field(default_factory=dict)
    """Those the board ranks by, in its order, then those of `Board.further`, as far as they were measured."""
    failed_checks: tuple[str, ...] = ()
    """Names of checks that failed."""
    unchecked: tuple[str, ...] = ()
    """Checks that need a person."""
    attempts: int = 1
    """How many different hand-ins of this submission were graded."""
    submitted_at: datetime | None = None
    """When it was handed in; absent on the class's board."""
    late_days: int | None = None
    """Days of lateness that count, 0 when in time; None where there is no due date or the time is unknown."""
    late_unknown: bool = False
    """Late by an unknown amount, as its learning platform says; never on the class's board."""
    override: Overridden | None = None
    """For the instructor only."""

    @property
    def pending(self) -> float:
        """Points withheld until a person decides."""
        return pending_of(self.points)


class Standing(Entry):
    """A row of the board."""

    rank: int
    """From 1. Those equal in every ranking metric share a rank, and the next rank counts them: 1, 2, 2, 4."""
    tie: bool = False
    """Whether another row has the same rank."""
    public_rank: int | None = None
    """On a board of private figures: the rank by the public ones."""
    stand_in: bool
    """Graded on data that only looks like the real thing."""
    p_value: float | None = None
    """Exact McNemar test against the leader on the images the board ranks by, two-sided, Holm-adjusted over all rows
    that were compared. None for the leader, and where it is not known which images were right."""
    distinguishable: bool | None = None
    """Whether it can be told from the leader: `p_value` is at most 0.05."""
    pareto: bool | None = None
    """Whether no other row is better in one of `Board.pareto` and at least as good in the other; None: not measured."""
    verified: bool | None = None
    """Whether its network was measured as a graph of plain operators. None: nothing is known of that, or
    `[submission] unverified` says that boards shall not tell."""
    unverified_because: str | None = None
    """Why it was not; for the instructor only."""
    device: DeviceName | None = None
    """Where it was measured, on a board of which some rows were measured on the CPU and some on a GPU; None: on a board
    of one device, and where it is not verified."""


class Unranked(Entry):
    """A submission that has no place, and why."""

    reason: str
    """Why it has no place."""


class Baseline(Value):
    """A named accuracy of the assignment, as a line of the board."""

    name: str
    """Its name."""
    accuracy: float
    """The accuracy to reach."""
    reached_by: int | None
    """How many rows reach it: the first so many, the line stands below them. None where the board does not rank by
    accuracy first."""


class Axes(Value):
    """The two metrics of the Pareto front and of the board's plot."""

    x: str
    """The metric along x."""
    y: str
    """The metric along y."""
    x_higher_is_better: bool
    """Its direction."""
    y_higher_is_better: bool
    """Its direction."""
    x_title: str
    """What the plot calls it."""
    y_title: str
    """Likewise."""


class Board(Value):
    """What the writers render. Rows come ranked; equal ones by submission id."""

    board_version: Literal[1] = 1
    """The version of this format."""
    assignment: AssignmentInfo
    """As in results."""
    title: str
    """Of the assignment."""
    figures: Figures = "all"
    """Whose images it ranks by."""
    ranking: tuple[RankKey, ...]
    """With the metrics the board really ranks by, such as `accuracy_public`."""
    further: tuple[str, ...] = ()
    """Metrics shown beside them, in this order; at least one row has each."""
    briefly: tuple[str, ...] = ()
    """Those of them that narrow tables show as well."""
    titles: dict[str, str] = Field(default_factory=dict)
    """What its metrics are called, by name."""
    pareto: Axes | None = None
    """None where the two metrics would be one."""
    baselines: tuple[Baseline, ...] = ()
    """Highest first."""
    standings: tuple[Standing, ...]
    """Those that have a place, the first one first."""
    unranked: tuple[Unranked, ...]
    """Those that have none."""
    missing: tuple[Person, ...] = ()
    """Who of the roster handed in nothing; empty on the class's board."""
    excused: tuple[Excused, ...] = ()
    """Whom the assignment does not count for; they are in no row. Empty on the class's board."""
    frozen_at: datetime | None = None
    """Later attempts are not on the board."""

    def title_of(self, metric: str) -> str:
        """What people call a metric."""
        return self.titles.get(metric) or metric.replace("_", " ")

    @property
    def stand_in(self) -> bool:
        """Whether any row was graded on a stand-in."""
        return self.assignment.data.stand_in or any(row.stand_in for row in self.standings)

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

    @property
    def possible(self) -> PointsPossible | None:
        """The whole that scores are part of, with the most to come of all rows; None without rows or points."""
        whole = [row.possible for row in self.entries if row.possible.total]
        return min(whole, key=lambda each: each.now, default=None)

    @property
    def entries(self) -> list[Entry]:
        """Every row, the ranked ones first."""
        return [*self.standings, *self.unranked]

    def entry(self, submission: str) -> Entry | None:
        """The row of a submission, ranked or not."""
        return next((row for row in self.entries if row.submission == submission), None)

    def only(self, submissions: set[str]) -> Board:
        """The rows of these submissions, with the ranks they have in the whole class."""
        return self.model_copy(
            update={
                "standings": tuple(row for row in self.standings if row.submission in submissions),
                "unranked": tuple(row for row in self.unranked if row.submission in submissions),
                "baselines": tuple(each.model_copy(update={"reached_by": None}) for each in self.baselines),
            }
        )


def symbols(row: Standing) -> str:
    """What is remarkable about a row, in a sign or two; `used_symbols` says what they mean."""
    signs = {
        "≈": row.distinguishable is False,
        "◆": bool(row.pareto),
        UNVERIFIED_SIGN: row.verified is False,
        LATE_UNKNOWN_SIGN: row.late_unknown,
        "□": row.device == "cuda",
    }
    return "".join(sign for sign, applies in signs.items() if applies)


def used_symbols(board: Board) -> dict[str, str]:
    """The signs on a board and their meanings."""
    used = "".join(map(symbols, board.standings))
    meanings = {"≈": "cannot be told from the leader on these images (exact McNemar test, 5 %, Holm over all rows)"}
    if board.pareto is not None:
        meanings["◆"] = (
            f"on the Pareto front of {board.title_of(board.pareto.y)} against {board.title_of(board.pareto.x)}"
        )
    meanings[UNVERIFIED_SIGN] = UNVERIFIED
    meanings[LATE_UNKNOWN_SIGN] = "late, says the learning platform, by how much is not known"
    meanings["□"] = "measured on a GPU, others on the CPU: the last digits of figures may differ between them"
    return {mark: meaning for mark, meaning in meanings.items() if mark in used}
