"""View one submission as its reader may: what terminal, Markdown, HTML and JSON are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness import audience as audiences
from harness.assignment.loading import Assignment
from harness.points.possible import points_possible
from harness.points.scoring import DECIDED, lines_for_student, most, total
from harness.report.history import history
from harness.text import clean
from harness.values.base import Audience, Verdict
from harness.values.board import UNVERIFIED, UNVERIFIED_SIGN, Entry
from harness.values.measures import ACCURACY
from harness.values.report import MetricLine, ReportView
from harness.values.results import Attempt, PointLine, Result
from harness.vocabulary import describe_status

VERDICT_SYMBOLS: dict[Verdict, str] = {"passed": "✓", "failed": "✗", "could_not_check": "?"}
VERDICTS: dict[Verdict, str] = {"passed": "passed", "failed": "failed", "could_not_check": "could not be checked"}
STAND_IN = "Graded on stand-in data, synthetic images that only look like the real ones: these points mean nothing."


def standing(line: MetricLine) -> str:
    """'within 100,000', 'over 100,000', 'reaches simple; below strong (95.00 %)', or nothing."""
    return "; ".join(filter(None, (_limit(line), _reached(line), _next(line))))


def _limit(line: MetricLine) -> str:
    if line.limit is None:
        return ""
    return f"{'within' if line.metric.value <= line.limit else 'over'} {line.limit:,.12g}"


def _reached(line: MetricLine) -> str:
    names = [name for name, wanted in line.baselines.items() if line.metric.value >= wanted]
    return f"reaches {clean(', '.join(names))}" if names else ""


def _next(line: MetricLine) -> str:
    missed = {name: wanted for name, wanted in line.baselines.items() if line.metric.value < wanted}
    if not missed:
        return ""
    nearest = min(missed, key=missed.__getitem__)
    return f"below {clean(nearest)} ({100 * missed[nearest]:.2f} %)"


def report(
    attempt: Attempt,
    assignment: Assignment,
    *,
    audience: Audience,
    entry: Entry | None = None,
    attempts: Sequence[Attempt] = (),
    limits: Mapping[str, float] | None = None,
    published: bool = False,
    decisions: Sequence[str] = (),
) -> ReportView:
    """The report for the student who handed it in, or for the instructor.

    Args:
        entry: what the instructor's board has for it; None: automatic points alone.
        attempts: all by the one whose it is, in the order they were graded; none: this is the only one.
        limits: of metrics, as `metric_limits` finds them.
        published: the instructor has published what private images decide.
        decisions: what was decided beside points, in sentences that the audience may read.
    """
    rules = assignment.rules
    told = {
        "history": history(attempt, attempts, assignment.rules.zone, lambda result: result),
        "decisions": tuple(decisions),
        "board_name": _board_name(entry),
    }
    view = _view(attempt, assignment, entry, limits or {}).model_copy(update=told)
    if audience == "instructor":
        return view

    def seen(result: Result) -> Result:
        return audiences.for_student(result, rules, assignment.measures, published=published)

    view = view.model_copy(update={"history": history(attempt, attempts, rules.zone, seen)})
    shown = seen(attempt.result).model_copy(update=_decided(entry))
    lines = (
        None
        if entry is None
        else lines_for_student(entry.points, private=audiences.holds_private(rules) and not published)
    )
    return _narrowed(view, assignment, shown, lines)


def class_report(
    attempt: Attempt,
    assignment: Assignment,
    *,
    name: str,
    entry: Entry | None = None,
    attempts: Sequence[Attempt] = (),
    limits: Mapping[str, float] | None = None,
    published: bool = False,
) -> ReportView:
    """The report as the whole class may see it, under the name that the board has for it.

    Args:
        entry: what the *class's* board has for it; None: automatic points alone.
        attempts: as for `report`.
    """

    def seen(result: Result) -> Result:
        return audiences.for_class(result, assignment.rules, assignment.measures, published=published)

    shown = seen(attempt.result).model_copy(update={"submission": name})
    view = _view(attempt, assignment, entry, limits or {})
    view = view.model_copy(update={"history": history(attempt, attempts, assignment.rules.zone, seen)})
    return _narrowed(view, assignment, shown, None if entry is None else entry.points)


def metric_lines(result: Result, assignment: Assignment, limits: Mapping[str, float]) -> tuple[MetricLine, ...]:
    """Every metric with its limit and baselines."""
    tiers = dict(sorted(assignment.rules.baselines.items(), key=lambda tier: tier[1]))
    compared = assignment.measures.kinds_of(ACCURACY)
    return tuple(
        MetricLine(
            name=name,
            title=assignment.measures.title(name),
            metric=metric,
            limit=limits.get(name),
            baselines=tiers if name in compared else {},
        )
        for name, metric in result.metrics.items()
    )


def evidence(result: Result, assignment: Assignment) -> tuple[str, ...]:
    """The names of its checks that are for the instructor alone."""
    return tuple(check.name for check in result.checks if assignment.measures.is_evidence(check.name))


def outcome(result: Result) -> str:
    """'graded', or the status with its reason."""
    words = describe_status(result.status)
    return f"{words}: {result.reason}" if result.reason and result.reason != words else words


def is_flagged(result: Result, assignment: Assignment) -> bool:
    """Whether to mark that its network was not verified."""
    unverified = result.network is not None and not result.network.verified
    return unverified and result.status == "graded" and assignment.rules.submission.unverified == "flag"


def network_line(result: Result, *, flagged: bool) -> str:
    """'network: verified, 17 operators', or why it is not; nothing where that is not known.

    Student code may have worded the reason.
    """
    network = result.network
    if network is None:
        return ""
    if network.verified:
        return f"network: verified, {network.operators:,} {'operator' if network.operators == 1 else 'operators'}"
    said = f"{UNVERIFIED_SIGN} {UNVERIFIED}" if flagged else "network: not verified"
    return f"{said} ({network.reason})" if network.reason else said


def own_view(attempt: Attempt, assignment: Assignment, limits: Mapping[str, float]) -> ReportView:
    """The report for whoever checks work of their own: all there is but evidence that passed, as `check` shows it."""
    view = _view(attempt, assignment, None, limits)
    kept = tuple(check for check in view.result.checks if check.verdict != "passed" or check.name not in view.evidence)
    result = view.result.model_copy(
        update={"checks": kept, **({"printed": ""} if audiences.holds_private(assignment.rules) else {})}
    )
    return view.model_copy(update={"audience": "student", "result": result, "evidence": ()})


def _view(attempt: Attempt, assignment: Assignment, entry: Entry | None, limits: Mapping[str, float]) -> ReportView:
    """The instructor's."""
    rules, whole = assignment.rules, attempt.result
    return ReportView(
        audience="instructor",
        name=whole.submission,
        title=rules.title,
        history=history(attempt, (), rules.zone, lambda result: result),
        graded_at=attempt.graded_at.astimezone(rules.zone),
        assignment=attempt.assignment,
        environment=attempt.environment,
        result=whole,
        score=entry.score if entry else whole.score,
        max_score=entry.max_score if entry else whole.max_score,
        possible=entry.possible if entry else points_possible(rules, whole.points),
        points=entry.points if entry else whole.points,
        override=entry.override if entry else None,
        metrics=metric_lines(whole, assignment, limits),
        class_names=rules.images.class_names,
        flagged=is_flagged(whole, assignment),
        evidence=evidence(whole, assignment),
        withheld=(),
    )


def _board_name(entry: Entry | None) -> str | None:
    return None if entry is None or entry.name == clean(entry.submission or "", 120) else entry.name


def _narrowed(view: ReportView, assignment: Assignment, shown: Result, lines: Sequence[PointLine] | None) -> ReportView:
    """The view for others: with that result and those points, and nothing of what an instructor decided."""
    points = shown.points if lines is None else tuple(lines)
    shown = shown.model_copy(update={"points_possible": points_possible(assignment.rules, shown.points)})
    return view.model_copy(
        update={
            "audience": "student",
            "name": shown.submission,
            "result": shown,
            "score": total(points),
            "max_score": most(assignment.rules, points),
            "possible": points_possible(assignment.rules, points),
            "points": points,
            "override": None,
            "metrics": tuple(line for line in view.metrics if line.name in shown.metrics),
            "evidence": (),
            "withheld": audiences.withheld(view.result, shown),
        }
    )


def _decided(entry: Entry | None) -> dict[str, str | None]:
    """The reason of a status that an instructor set; why is for the two of them to talk about."""
    if entry is None or entry.override is None or entry.override.old_status == entry.status:
        return {}
    return {"reason": DECIDED.format("status"), "hint": None}
