"""One submission's report: the view that terminal, Markdown, HTML and JSON are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from pydantic import FiniteFloat

from harness import audience as audiences
from harness.api import Audience, Check, Metric, StatesLimits, Value, Verdict
from harness.assignment import Assignment, AssignmentFile
from harness.board import Entry, Overridden
from harness.plugins import Plugins
from harness.results import AssignmentInfo, Attempt, Environment, PointLine, Report, Result, describe_status
from harness.scoring import DECIDED, lines_for_student, most, total
from harness.text import clean

MARKS: dict[Verdict, str] = {"passed": "✓", "failed": "✗", "could_not_check": "?"}
VERDICTS: dict[Verdict, str] = {"passed": "passed", "failed": "failed", "could_not_check": "could not be checked"}
STAND_IN = "Graded on stand-in data, synthetic images that only look like the real ones: these points mean nothing."


class MetricLine(Value):
    """A metric beside what it is compared with."""

    name: str
    metric: Metric
    limit: float | None = None
    """The most it may be."""
    baselines: Mapping[str, float] = {}
    """Named levels to reach, lowest first; only accuracies have them."""

    @property
    def standing(self) -> str:
        """'within 100,000', 'over 100,000', 'reaches simple; below strong (95.00 %)', or nothing."""
        return "; ".join(filter(None, (self._limit(), self._reached(), self._next())))

    def _limit(self) -> str:
        if self.limit is None:
            return ""
        return f"{'within' if self.metric.value <= self.limit else 'over'} {self.limit:,.12g}"

    def _reached(self) -> str:
        names = [name for name, wanted in self.baselines.items() if self.metric.value >= wanted]
        return f"reaches {clean(', '.join(names))}" if names else ""

    def _next(self) -> str:
        missed = {name: wanted for name, wanted in self.baselines.items() if self.metric.value < wanted}
        if not missed:
            return ""
        nearest = min(missed, key=missed.__getitem__)
        return f"below {clean(nearest)} ({100 * missed[nearest]:.2f} %)"


class ReportView(Value):
    """All that one audience may see of one attempt, and nothing else; texts of students as they wrote them."""

    audience: Audience
    name: str
    """What the page calls it: the id, or on the class's site the board's name for it."""
    title: str
    """Of the assignment."""
    attempt: int
    """The attempt's place in the submission's history, from 1."""
    graded_at: datetime
    assignment: AssignmentInfo
    environment: Environment
    result: Result
    """As the audience may see it."""
    score: FiniteFloat
    max_score: FiniteFloat
    points: tuple[PointLine, ...]
    """Every line of the score: automatic, by rank, by hand, caps, lateness, an override."""
    override: Overridden | None
    """What an instructor decided, and what was there before."""
    metrics: tuple[MetricLine, ...]
    class_names: tuple[str, ...]
    """What the classes of the images are called; empty where they have numbers only."""
    withheld: tuple[str, ...]
    """What kinds of things only the instructor's version shows."""

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
        )

    def to_json(self) -> str:
        """The document that `grade --json` writes, with this one result and the points that the board gives it."""
        return Document(
            assignment=self.assignment,
            environment=self.environment,
            results=(self.result,),
            score=self.score,
            max_score=self.max_score,
            points=self.points,
            override=self.override,
        ).to_json()


class Document(Report):
    """A report as JSON: the result as it was graded, and every point of it by rank, by hand and by decision."""

    score: FiniteFloat
    max_score: FiniteFloat
    points: tuple[PointLine, ...]
    override: Overridden | None


def report(
    attempt: Attempt,
    rules: AssignmentFile,
    *,
    audience: Audience,
    entry: Entry | None = None,
    place: int = 1,
    limits: Mapping[str, float] | None = None,
    published: bool = False,
) -> ReportView:
    """The report for the student who handed it in, or for the instructor.

    Args:
        entry: what the instructor's board has for it; None: automatic points alone.
        place: of the attempt in the submission's history, from 1.
        limits: of metrics, as `metric_limits` finds them.
        published: the instructor has published what private images decide.
    """
    view = _view(attempt, rules, attempt.result, entry, limits or {}).model_copy(update={"attempt": place})
    if audience == "instructor":
        return view
    shown = audiences.for_student(attempt.result, rules, published=published)
    shown = shown.model_copy(update=_decided(entry))
    lines = (
        None
        if entry is None
        else lines_for_student(entry.points, private=audiences.holds_private(rules) and not published)
    )
    return _narrowed(view, rules, shown, lines)


def class_report(
    attempt: Attempt,
    rules: AssignmentFile,
    *,
    name: str,
    entry: Entry | None = None,
    limits: Mapping[str, float] | None = None,
    published: bool = False,
) -> ReportView:
    """The report as the whole class may see it, under the name that the board has for it.

    Args:
        entry: what the *class's* board has for it; None: automatic points alone.
    """
    shown = audiences.for_class(attempt.result, rules, published=published)
    shown = shown.model_copy(update={"submission": name})
    view = _view(attempt, rules, attempt.result, entry, limits or {})
    return _narrowed(view, rules, shown, None if entry is None else entry.points)


def metric_limits(assignment: Assignment, plugins: Plugins) -> dict[str, float]:
    """The most that metrics may be: what evaluators state, and where points depend on it."""
    found = {rule.metric: rule.at_most for rule in assignment.rules.rubric.points if rule.metric and rule.at_most}
    for name, options in assignment.options.items():
        evaluator = plugins.evaluators[name]
        if isinstance(evaluator, StatesLimits):
            found |= evaluator.limits(options)
    return found


def metric_lines(result: Result, rules: AssignmentFile, limits: Mapping[str, float]) -> tuple[MetricLine, ...]:
    """Every metric with its limit and baselines."""
    tiers = dict(sorted(rules.baselines.items(), key=lambda tier: tier[1]))
    return tuple(
        MetricLine(name=name, metric=metric, limit=limits.get(name), baselines=tiers if _is_compared(name) else {})
        for name, metric in result.metrics.items()
    )


def outcome(result: Result) -> str:
    """'graded', or the status with its reason."""
    words = describe_status(result.status)
    return f"{words}: {result.reason}" if result.reason and result.reason != words else words


def next_steps(checks: Iterable[Check]) -> list[str]:
    """Which checks to see to; their own lines say how."""
    names = [check.name for check in checks if check.verdict != "passed"]
    return [f"see to {', '.join(names)} above, then check again"] if names else []


def _view(
    attempt: Attempt, rules: AssignmentFile, whole: Result, entry: Entry | None, limits: Mapping[str, float]
) -> ReportView:
    """The instructor's."""
    return ReportView(
        audience="instructor",
        name=whole.submission,
        title=rules.title,
        attempt=1,
        graded_at=attempt.graded_at,
        assignment=attempt.assignment,
        environment=attempt.environment,
        result=whole,
        score=entry.score if entry else whole.score,
        max_score=entry.max_score if entry else whole.max_score,
        points=entry.points if entry else whole.points,
        override=entry.override if entry else None,
        metrics=metric_lines(whole, rules, limits),
        class_names=rules.images.class_names,
        withheld=(),
    )


def _narrowed(view: ReportView, rules: AssignmentFile, shown: Result, lines: Sequence[PointLine] | None) -> ReportView:
    """The view for others: with that result and those points, and nothing of what an instructor decided."""
    points = shown.points if lines is None else tuple(lines)
    return view.model_copy(
        update={
            "audience": "student",
            "name": shown.submission,
            "result": shown,
            "score": total(points),
            "max_score": most(rules, points),
            "points": points,
            "override": None,
            "metrics": tuple(line for line in view.metrics if line.name in shown.metrics),
            "withheld": audiences.withheld(view.result, shown),
        }
    )


def _decided(entry: Entry | None) -> dict[str, str | None]:
    """The reason of a status that an instructor set; why is for the two of them to talk about."""
    if entry is None or entry.override is None or entry.override.old_status == entry.status:
        return {}
    return {"reason": DECIDED.format("status"), "hint": None}


def _is_compared(name: str) -> bool:
    return name in {"accuracy", "accuracy_public", "accuracy_private"}
