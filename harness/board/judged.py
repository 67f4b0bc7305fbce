"""Judge what a store keeps by an assignment as it is now."""

from __future__ import annotations

from collections.abc import Iterable

from harness.assignment.loading import Assignment
from harness.plugins.output import printing_to_stderr
from harness.points.judging import Judge
from harness.values.results import Attempt


def judge_of(assignment: Assignment) -> Judge:
    """The judge by an assignment's rules."""
    used = {name: assignment.evaluators[name] for name in assignment.options}
    return Judge(assignment.rules, assignment.info, used, assignment.options)


def judged(attempts: Iterable[Attempt], assignment: Assignment) -> tuple[Attempt, ...]:
    """Attempts as they count under the rules as they are now; see `Judge.judged`."""
    judge = judge_of(assignment)
    with printing_to_stderr():
        return tuple(map(judge.judged, attempts))
