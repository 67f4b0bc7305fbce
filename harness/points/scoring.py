"""Score a submission, line by line with reasons: automatic, by rank, by hand, caps, lateness, overrides."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.audience import holds_private, points_are_public
from harness.points import rubric
from harness.points.lateness import Lateness
from harness.values.decisions import Override
from harness.values.measures import Measures
from harness.values.results import LineKind, PointLine, Result, ScoreLine
from harness.values.rules import AssignmentFile, RankPoints

DECIDED = "an instructor set this {}"
# What is divided is given in hundredths of a point, as gradebooks have it: what is shown is what counts.
_HUNDREDTHS = 2
# Further figures are only what floating-point sums leave.
_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Place:
    """A place among those that are ranked by one metric."""

    rank: int
    of: int


@dataclass(frozen=True, slots=True)
class ScoreInputs:
    """What decides about points beside the result itself."""

    places: Mapping[str, Place]
    """Metric of a `[[rubric.rank]]` -> the place; none for those without one."""
    manual_points: Mapping[str, float]
    """Manual points by name."""
    override: Override | None = None
    lateness: Lateness | None = None
    """How late it is; None: in time."""
    measures: Measures = field(default_factory=Measures)
    """What the evaluators declare; it decides which lines the class may see."""


def score_lines(rules: AssignmentFile, result: Result, found: ScoreInputs) -> tuple[ScoreLine, ...]:
    """Every line of the score; their sum is the score.

    Automatic points, points by rank and manual points add up to at most the cap; lateness takes its share of that; an
    override replaces the sum. A failed gate leaves nothing of any of them, and one that could not be checked withholds
    them all until a person decides, by an override.
    """
    lines = [*_automatic(rules, result, found.measures), *_by_rank(rules, found), *_manual(rules, found)]
    if result.status == "graded":
        lines = rubric.gated(rules, result.checks, lines)
    # One after the other: each goes by the sum of those before it.
    lines += _cap(rules, lines)
    lines += _late(rules, found.lateness, lines)
    overriding = _overriding(found.override, lines)
    if overriding:
        decided = {"pending": 0.0, "reason": DECIDED.format("score")}
        lines = [line.model_copy(update=decided) if line.pending else line for line in lines]
    return (*lines, *overriding)


def total(lines: Sequence[PointLine]) -> float:
    """The points of all lines together."""
    return round(math.fsum(line.points for line in lines), _DECIMALS) + 0.0


def most(rules: AssignmentFile, lines: Sequence[PointLine]) -> float:
    """The most they could be."""
    together = round(math.fsum(line.max_points for line in lines), _DECIMALS)
    return together if rules.rubric.cap is None else min(together, rules.rubric.cap)


def lines_for_student(lines: Sequence[ScoreLine], *, private: bool) -> list[ScoreLine]:
    """The lines of one's own score. What goes by the sum of all lines would tell about private ones among them.

    Args:
        private: some images are private, and what they decide is not published.
    """
    shown = [line for line in lines if line.public or line.kind == "manual" or not private]
    return [
        line.model_copy(update={"reason": DECIDED.format("score")}) if line.kind == "override" else line
        for line in shown
    ]


def _automatic(rules: AssignmentFile, result: Result, measures: Measures) -> list[ScoreLine]:
    public = {rule.name: points_are_public(rule, rules, measures) for rule in rules.rubric.points}
    known = not holds_private(rules)
    return [
        ScoreLine(**line.model_dump(), kind="automatic", public=public.get(line.name, known)) for line in result.points
    ]


def _by_rank(rules: AssignmentFile, found: ScoreInputs) -> list[ScoreLine]:
    lines = []
    for rule in rules.rubric.rank:
        points, reason = _rank_points(rule, found)
        public = points_are_public(rule, rules, found.measures)
        lines.append(
            ScoreLine(name=rule.name, points=points, max_points=rule.points, reason=reason, kind="rank", public=public)
        )
    return lines


def _rank_points(rule: RankPoints, found: ScoreInputs) -> tuple[float, str]:
    """All points for the first place down to none for the last, in equal steps; or all for the first few."""
    place = found.places.get(rule.metric)
    if place is None:
        return 0.0, f"no place among those ranked by {rule.metric}"
    where = f"rank {place.rank} of {place.of} by {rule.metric}"
    if rule.top is not None:
        return rule.points if place.rank <= rule.top else 0.0, f"{where}; the first {rule.top} get the points"
    steps = max(1, place.of - 1)
    left = steps - place.rank + 1
    return round(rule.points * left / steps, _HUNDREDTHS), f"{where}: {left}/{steps} of {rule.points:g}"


def _manual(rules: AssignmentFile, found: ScoreInputs) -> list[ScoreLine]:
    return [
        ScoreLine(
            name=rule.name,
            points=found.manual_points.get(rule.name, 0.0),
            max_points=rule.points,
            reason="given by hand" if rule.name in found.manual_points else "not given yet",
            kind="manual",
            public=False,
            open=rule.name not in found.manual_points,
        )
        for rule in rules.rubric.manual
    ]


def _cap(rules: AssignmentFile, lines: Sequence[ScoreLine]) -> list[ScoreLine]:
    cap, earned = rules.rubric.cap, total(lines)
    if cap is None or earned <= cap:
        return []
    reason = f"{earned:.6g} points, but {cap:.6g} is the most there is"
    return [_less("cap", "cap", cap - earned, reason)]


def _late(rules: AssignmentFile, found: Lateness | None, lines: Sequence[ScoreLine]) -> list[ScoreLine]:
    policy = rules.rubric.late
    if policy is None or found is None or found.reason is None:
        return []
    if not found.days:
        return [_less("lateness", "late", 0.0, found.reason)]
    percent = min(policy.most_percent, found.days * policy.percent_per_day)
    left = min(total(lines), round(total(lines) * (1 - percent / 100), _HUNDREDTHS))
    reason = f"{found.reason} at {policy.percent_per_day:g} % a day, {percent:g} % of {total(lines):.6g}"
    return [_less("lateness", "late", left - total(lines), reason)]


def _overriding(override: Override | None, lines: Sequence[ScoreLine]) -> list[ScoreLine]:
    if override is None or override.score is None:
        return []
    reason = f"{override.author} set the score to {override.score:.6g} instead of {total(lines):.6g}: {override.reason}"
    return [_less("override", "override", override.score - total(lines), reason)]


def _less(name: str, kind: LineKind, points: float, reason: str) -> ScoreLine:
    return ScoreLine(name=name, points=round(points, _DECIMALS), max_points=0, reason=reason, kind=kind, public=False)
