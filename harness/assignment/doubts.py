"""Find what is allowed in an assignment file and probably not meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from harness.assignment.loading import Assignment, metric_limits, stated_limits
from harness.errors import Problem
from harness.plugins import Plugins
from harness.values.measures import ACCURACY, MetricSpec
from harness.values.moments import moment_text
from harness.values.rules import AssignmentFile, ManualPoints, PointRule, RankPoints

_FLOAT_BYTES = 4
_SMALL_BYTES = 1000
"""Less than what any container of weights takes."""
_FEW = 0.01
"""Hardly anybody shows so small a share of the images."""


def doubts(assignment: Assignment, plugins: Plugins, now: datetime) -> list[Problem]:
    """Everything that a person should look at again; none of it keeps the assignment from working."""
    rules, limits = assignment.rules, metric_limits(assignment, plugins)
    return [
        *_baselines(rules),
        *_images(rules),
        *_split(assignment),
        *_ranking(assignment),
        *_names(rules),
        *_points(assignment, limits),
        *_whole(rules),
        *_gates(assignment),
        *_limits(assignment),
        *_lateness(rules, now),
    ]


def _baselines(rules: AssignmentFile) -> Iterator[Problem]:
    levels = list(rules.baselines.items())
    for (before, low), (name, high) in pairwise(levels):
        if high <= low:
            yield Problem(
                f"baselines.{name}", f"{high:g} is no higher than {before!r} before it, {low:g}: lowest first"
            )
    used = {rule.baseline for rule in rules.rubric.points}
    if any(used - {None}):
        for name in rules.baselines.keys() - used:
            yield Problem(f"baselines.{name}", "no [[rubric.points]] gives points for it")


def _images(rules: AssignmentFile) -> Iterator[Problem]:
    for name in ("mean", "std"):
        if any(each > 1 for each in getattr(rules.images, name)):
            what = "images hold values from 0 to 1: for means and deviations of 0 to 255, divide these by 255"
            yield Problem(f"images.{name}", what)
    doubled = [name for name, count in Counter(rules.images.class_names).items() if count > 1]
    if doubled:
        yield Problem("images.class_names", f"two classes are called {doubled[0]!r}: reports cannot tell them apart")
    for number, name in enumerate(rules.submission.entry_points):
        if not name.replace(".", "_").isidentifier():
            yield Problem(f"submission.entry_points.{number}", f"no code can define {name!r}: write its name alone")


def _split(assignment: Assignment) -> Iterator[Problem]:
    """Figures of public or private images, where there are none."""
    rules = assignment.rules
    share = rules.data["test"].public_fraction
    if share is not None:
        if share < _FEW:
            yield Problem("data.test.public_fraction", f"no more than {100 * share:g} % of the images are public")
        return
    used = {f"ranking.{number}.metric": key.metric for number, key in enumerate(rules.ranking)}
    used |= {f"rubric.points.{number}.metric": rule.metric or "" for number, rule in enumerate(rules.rubric.points)}
    used |= {f"rubric.rank.{number}.metric": rule.metric for number, rule in enumerate(rules.rubric.rank)}
    for where, name in used.items():
        spec = assignment.measures.metrics.get(name)
        if spec is not None and spec.name != name:
            yield Problem(where, f"{name} is never measured: without [data.test] public_fraction it is {spec.name}")


def _ranking(assignment: Assignment) -> Iterator[Problem]:
    seen = set[str]()
    for number, key in enumerate(assignment.rules.ranking):
        spec = assignment.measures.metrics.get(key.metric)
        if spec is not None and spec.higher_is_better != key.higher_is_better:
            what = f"of {key.metric}, {_better(spec)} is better: this ranks the worst first"
            yield Problem(f"ranking.{number}.higher_is_better", what)
        if key.metric in seen:
            yield Problem(f"ranking.{number}.metric", f"{key.metric} is a key before: this one breaks no tie")
        seen.add(key.metric)
    pareto = assignment.rules.board.pareto
    if pareto is not None and pareto in assignment.measures.kinds_of(ACCURACY):
        yield Problem("board.pareto", "accuracy is plotted against itself: name what it costs, such as parameters")


def _better(spec: MetricSpec) -> str:
    return "more" if spec.higher_is_better else "less"


def _names(rules: AssignmentFile) -> Iterator[Problem]:
    """Lines that cannot be told apart, or change nothing."""
    rubric = rules.rubric
    kinds: dict[str, Sequence[PointRule | RankPoints | ManualPoints]] = {
        "points": rubric.points,
        "rank": rubric.rank,
        "manual": rubric.manual,
    }
    names = Counter(rule.name for lines in kinds.values() for rule in lines)
    for kind, lines in kinds.items():
        for number, rule in enumerate(lines):
            where, count = f"rubric.{kind}.{number}", names[rule.name]
            if count > 1:
                what = f"{count} lines are called {rule.name!r}: reports cannot tell them apart"
                yield Problem(f"{where}.name", what)
            if not rule.points:
                yield Problem(f"{where}.points", "0 points: the line changes nothing")


def _points(assignment: Assignment, limits: Mapping[str, float]) -> Iterator[Problem]:
    """Levels that nobody reaches, or the wrong side of them."""
    for number, rule in enumerate(assignment.rules.rubric.points):
        where, metric = f"rubric.points.{number}", rule.metric or ACCURACY
        most, spec = limits.get(metric), assignment.measures.metrics.get(metric)
        if rule.at_least is not None and most is not None and rule.at_least > most:
            what = f"cannot be reached: {metric} may be at most {most:g}, and {rule.at_least:g} or more are asked for"
            yield Problem(f"{where}.at_least", what)
        if rule.at_most is not None and rule.at_most < 0:
            yield Problem(f"{where}.at_most", f"cannot be reached: {metric} is never below 0")
        key = "at_least" if rule.at_least is not None else "at_most" if rule.at_most is not None else None
        if key is not None and spec is not None and spec.higher_is_better != (key == "at_least"):
            other = "at_most" if key == "at_least" else "at_least"
            what = f"of {metric}, {_better(spec)} is better: these points are for the worse; {other} may be meant"
            yield Problem(f"{where}.{key}", what)


def _whole(rules: AssignmentFile) -> Iterator[Problem]:
    cap, whole = rules.rubric.cap, sum(rules.rubric.possible.values())
    if cap is not None and cap > whole:
        yield Problem("rubric.cap", f"{cap:g} is never reached: all points together are {whole:g}")
    if cap is not None and cap < whole / 2:
        what = f"at most {cap:g} of {whole:g} points count: most of what the lines give is cut off"
        yield Problem("rubric.cap", what)
    if not whole:
        yield Problem("rubric", "there are no points: every score is 0 of 0")


def _gates(assignment: Assignment) -> Iterator[Problem]:
    for number, name in enumerate(assignment.rules.rubric.gates):
        if assignment.measures.is_evidence(name):
            what = f"{name} is evidence for a person, no proof: as a gate it takes all points away"
            yield Problem(f"rubric.gates.{number}", what)


def _limits(assignment: Assignment) -> Iterator[Problem]:
    given, classes = assignment.rules.limits, assignment.rules.images.classes
    for name, options in assignment.options.items():
        for metric, most in stated_limits(assignment.evaluators[name], options).items():
            spec = assignment.measures.metrics.get(metric)
            if spec is not None and spec.unit == "bytes" and most < _SMALL_BYTES:
                yield Problem(
                    f"evaluators.{name}", f"{most:g} bytes: no weights file is that small; are these kilobytes?"
                )
            if spec is None or spec.unit != "parameters":
                continue
            if most < classes:
                what = f"at most {most:g} parameters: {classes} classes need one each at least, so no network can pass"
                yield Problem(f"evaluators.{name}", what)
            if given.tensor_bytes < _FLOAT_BYTES * most:
                needed = f"{most:,.0f} parameters, which are allowed, take {_FLOAT_BYTES * most:,.0f} in float32"
                yield Problem("limits.tensor_bytes", f"{given.tensor_bytes:,} bytes: {needed}")
    if given.submission_bytes < _SMALL_BYTES:
        what = f"{given.submission_bytes} bytes: nothing can be handed in; are these megabytes?"
        yield Problem("limits.submission_bytes", what)
    for key in ("reading_seconds", "import_seconds", "build_seconds", "forward_seconds", "request_seconds"):
        part = getattr(given, key)
        if part > given.total_seconds:
            yield Problem(f"limits.{key}", f"{part:g} s are more than total_seconds, {given.total_seconds:g} s")


def _lateness(rules: AssignmentFile, now: datetime) -> Iterator[Problem]:
    late = rules.rubric.late
    if late is None:
        return
    due, zone = late.due_at, late.zone
    if due is not None and zone is not None and due < now:
        yield Problem("rubric.late.due", f"{moment_text(due, zone)} is in the past: whatever is handed in now is late")
    for name in ("percent_per_day", "most_percent"):
        share = getattr(late, name)
        if 0 < share < 1:
            what = f"{share:g} % of the score: if a fraction was meant, {share:g} is {100 * share:g} %"
            yield Problem(f"rubric.late.{name}", what)
    if late.percent_per_day > late.most_percent:
        what = f"{late.most_percent:g} % at most: less than the first day costs, {late.percent_per_day:g} %"
        yield Problem("rubric.late.most_percent", what)
    if late.due is None and late.percent_per_day:
        yield Problem("rubric.late", "a day costs points, but there is no due: only what --times says is late")
