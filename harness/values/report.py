"""Define one submission as its reader sees it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import FiniteFloat

from harness.values.base import Audience, Value
from harness.values.board import Overridden
from harness.values.measures import Metric
from harness.values.moments import moment_text
from harness.values.results import AssignmentInfo, Environment, PointLine, PointsPossible, Report, Result, pending_of
from harness.vocabulary import Status

_SLACK_SECONDS = 1
"""Between the end of grading and its time in the store."""


class MetricLine(Value):
    """A metric beside what it is compared with."""

    name: str
    """Its name."""
    title: str
    """What people call it."""
    metric: Metric
    """The number."""
    limit: float | None = None
    """The most it may be."""
    baselines: Mapping[str, float] = {}
    """Named levels to reach, lowest first; only accuracies have them."""


class PastAttempt(Value):
    """One of a submission's hand-ins, by the assignment as it is now and as far as the reader may know."""

    graded_at: datetime
    """When it was graded, by the course's clocks."""
    status: Status
    """What was found; of the attempt that counts, what an instructor decided."""
    score: FiniteFloat
    """Automatic points."""
    max_score: FiniteFloat
    """The most of them."""
    pending: FiniteFloat
    """Points withheld until a person decides."""
    counts: bool
    """Whether the rest of the report is about it."""


class ReportView(Value):
    """All that one audience may see of one attempt, and nothing else; texts of students as they wrote them."""

    audience: Audience
    """Who reads it."""
    name: str
    """What the page calls it: the id, or on the class's site the board's name for it."""
    title: str
    """Of the assignment."""
    history: tuple[PastAttempt, ...]
    """All that was handed in, by a team all of its members, oldest first; the same files graded again are one."""
    graded_at: datetime
    """When the attempt was graded."""
    assignment: AssignmentInfo
    """What was graded against."""
    environment: Environment
    """What the numbers depend on."""
    result: Result
    """As the audience may see it."""
    score: FiniteFloat
    """The sum of `points`."""
    max_score: FiniteFloat
    """The most it could be."""
    possible: PointsPossible
    """The whole that the score is part of."""
    points: tuple[PointLine, ...]
    """Every line of the score: automatic, by rank, by hand, caps, lateness, an override."""
    override: Overridden | None
    """What an instructor decided, and what was there before."""
    decisions: tuple[str, ...] = ()
    """More time, excused, removed, requests and their answers, in sentences."""
    board_name: str | None = None
    """What the board calls it, where that is not its id."""
    metrics: tuple[MetricLine, ...]
    """Every metric that the audience may see."""
    class_names: tuple[str, ...]
    """What the classes of the images are called; empty where they have numbers only."""
    flagged: bool
    """Whether to mark that its network was not verified: the assignment may accept that, and then nobody is told."""
    evidence: tuple[str, ...]
    """Checks that only the instructor sees."""
    withheld: tuple[str, ...]
    """What kinds of things only the instructor's version shows."""

    @property
    def attempt(self) -> int:
        """The place of the attempt in its history, from 1."""
        return next(place for place, each in enumerate(self.history, start=1) if each.counts)

    @property
    def pending(self) -> float:
        """Points withheld until a person decides."""
        return pending_of(self.points)

    @property
    def circumstances(self) -> tuple[tuple[str, str], ...]:
        """What the numbers depend on, as names and values."""
        used = self.environment
        return (
            ("data", self.assignment.data.id),
            ("assignment", f"{self.assignment.id}, {self.assignment.digest}"),
            ("files", self.result.digest or "could not be read"),
            ("harness", used.harness),
            ("Python", used.python),
            ("PyTorch", used.torch),
            ("torchinfo", used.torchinfo),
            ("sandbox", used.sandbox),
            ("device", f"{used.device}, {used.threads} {'thread' if used.threads == 1 else 'threads'}"),
            ("time", f"{self.result.seconds:.1f} s"),
            *((("measured before", before),) if (before := self.measured_before) else ()),
        )

    @property
    def measured_before(self) -> str:
        """What was found by an earlier attempt and still held, and when: 'accuracy (2026-01-31 12:00 UTC)'."""
        began = self.graded_at - timedelta(seconds=self.result.seconds + _SLACK_SECONDS)
        kept = {name: at for name, at in self.result.measured_at.items() if at < began}
        return ", ".join(
            f"{name.replace('_', ' ')} ({moment_text(at, self.graded_at.tzinfo)})" for name, at in kept.items()
        )

    def to_json(self) -> str:
        """The document that `grade --json` writes, with this one result and the points that the board gives it."""
        return Document(
            assignment=self.assignment,
            environment=self.environment,
            results=(self.result,),
            score=self.score,
            max_score=self.max_score,
            points_possible=self.possible,
            points=self.points,
            override=self.override,
        ).to_json()


class Document(Report):
    """A report as JSON: the result as it was graded, and every point of it by rank, by hand and by decision."""

    score: FiniteFloat
    """The sum of `points`."""
    max_score: FiniteFloat
    """The most it could be."""
    points_possible: PointsPossible
    """The whole that the score is part of."""
    points: tuple[PointLine, ...]
    """Every line of the score: automatic, by rank, by hand, caps, lateness, an override."""
    override: Overridden | None
    """What an instructor decided, and what was there before."""
