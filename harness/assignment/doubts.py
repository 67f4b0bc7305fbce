"""Find what is allowed in an assignment file and probably not meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import pairwise

from harness.assignment.loading import Assignment, metric_limits, stated_limits
from harness.errors import Problem
from harness.plugins import Plugins
from harness.values.measures import ACCURACY
from harness.values.moments import moment_text
from harness.values.rules import AssignmentFile

_FLOAT_BYTES = 4


def doubts(assignment: Assignment, plugins: Plugins, now: datetime) -> list[Problem]:
    """Everything that a person should look at again; none of it keeps the assignment from working."""
    rules, limits = assignment.rules, metric_limits(assignment, plugins)
    return [
        *_baselines(rules),
        *_images(rules),
        *_ranking(assignment),
        *_points(rules, limits),
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
    for number, name in enumerate(rules.submission.entry_points):
        if not name.replace(".", "_").isidentifier():
            yield Problem(f"submission.entry_points.{number}", f"no code can define {name!r}: write its name alone")


def _ranking(assignment: Assignment) -> Iterator[Problem]:
    for number, key in enumerate(assignment.rules.ranking):
        spec = assignment.measures.metrics.get(key.metric)
        if spec is not None and spec.higher_is_better != key.higher_is_better:
            what = (
                f"of {key.metric}, {'more' if spec.higher_is_better else 'less'} is better: this ranks the worst first"
            )
            yield Problem(f"ranking.{number}.higher_is_better", what)


def _points(rules: AssignmentFile, limits: Mapping[str, float]) -> Iterator[Problem]:
    rubric = rules.rubric
    names = Counter(rule.name for rule in rubric.points)
    for number, rule in enumerate(rubric.points):
        where, metric = f"rubric.points.{number}", rule.metric or ACCURACY
        if names[rule.name] > 1:
            yield Problem(
                f"{where}.name", f"{names[rule.name]} lines are called {rule.name!r}: reports cannot tell them apart"
            )
        if not rule.points:
            yield Problem(f"{where}.points", "0 points: the line changes nothing")
        most = limits.get(metric)
        if rule.at_least is not None and most is not None and rule.at_least > most:
            what = f"cannot be reached: {metric} may be at most {most:g}, and {rule.at_least:g} or more are asked for"
            yield Problem(f"{where}.at_least", what)
        if rule.at_most is not None and rule.at_most < 0:
            yield Problem(f"{where}.at_most", f"cannot be reached: {metric} is never below 0")
    whole = sum(rubric.possible.values())
    if rubric.cap is not None and rubric.cap > whole:
        yield Problem("rubric.cap", f"{rubric.cap:g} is never reached: all points together are {whole:g}")
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
            if spec is None or spec.unit != "parameters":
                continue
            if most < classes:
                what = f"at most {most:g} parameters: {classes} classes need one each at least, so no network can pass"
                yield Problem(f"evaluators.{name}", what)
            if given.tensor_bytes < _FLOAT_BYTES * most:
                needed = f"{most:,.0f} parameters, which are allowed, take {_FLOAT_BYTES * most:,.0f} in float32"
                yield Problem("limits.tensor_bytes", f"{given.tensor_bytes:,} bytes: {needed}")
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
    if late.due is None and late.percent_per_day:
        yield Problem("rubric.late", "a day costs points, but there is no due: only what --times says is late")
