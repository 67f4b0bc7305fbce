"""Make a result of all that was found of a hand-in."""

from __future__ import annotations

from harness.grading.findings import Findings
from harness.points import rubric
from harness.points.possible import points_possible
from harness.submission.reading import Submission
from harness.values.results import Result
from harness.values.rules import AssignmentFile


def outcome_of(rules: AssignmentFile, name: str, submission: Submission | None, found: Findings) -> Result:
    """The result, with points by the rules; its `seconds` are for whoever has a clock.

    Args:
        submission: None where it could not be read.
    """
    if found.status == "graded":
        checks = {check.name: check for check in found.evaluation.checks}
        lines = rubric.points(rules, checks, found.evaluation.metrics)
    else:
        lines = rubric.nothing(rules, rubric.not_graded(found.status))
    return Result(
        submission=name,
        status=found.status,
        reason=found.reason,
        hint=found.hint,
        digest=submission.digest if submission else None,
        score=sum(line.points for line in lines),
        max_score=rubric.max_score(rules),
        points_possible=points_possible(rules, lines),
        points=lines,
        network=found.network,
        layers=found.layers,
        nickname=submission.settings.nickname if submission else None,
        members=submission.members if submission else (),
        accounts=submission.accounts if submission else (),
        submitted_at=submission.submitted_at if submission else None,
        time_source=submission.time_source if submission else None,
        late_mark=submission.late_mark if submission else None,
        printed=found.printed,
        seconds=0,
        measured_at={name: part.at for name, part in found.parts.items()},
        **found.evaluation.shown,
        notes=(*(submission.notes if submission else ()), *found.notes, *found.evaluation.notes),
    )
