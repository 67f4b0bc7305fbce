"""Tell public from private: the student's version of a result is built from what is allowed, not by striking out.

Three things never reach students: what their code printed, the message it failed with, and checks that are evidence.
The first two were written by code that has seen the graded images; the third is for a person to talk about. Where an
assignment keeps some images private, everything that depends on them stays with the instructor as well
until the results are published: figures, curves, checks and points of them, and whatever else the process that ran the
submission could have put there.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.text import clean
from harness.values.curves import Curve, Table
from harness.values.measures import ACCURACY, Check, Measures
from harness.values.networks import Verification
from harness.values.results import Result
from harness.values.rules import AssignmentFile, PointRule, RankPoints
from harness.vocabulary import Status, describe_status

AT_HOME = "'harness check' says at home what happened and where"


def for_student(result: Result, rules: AssignmentFile, measures: Measures, *, published: bool = False) -> Result:
    """The result as the student who handed it in may see it.

    Args:
        measures: what the assignment's evaluators declare.
        published: the instructor has published what private images decide.
    """
    private = holds_private(rules) and not published
    checks = tuple(each for each in result.checks if not measures.is_evidence(each.name))
    shown = _without_private(result, rules, measures, checks) if private else _all(result, checks)
    # Files that could not even be read ran nothing, so those words are the grader's own.
    told = result.status == "rejected" and (not private or result.digest is None)
    return shown.model_copy(update=_outcome(result, told=told))


def for_class(result: Result, rules: AssignmentFile, measures: Measures, *, published: bool = False) -> Result:
    """The result as everyone may see it: verdicts and numbers, and no word that a student may have put there.

    Reasons and notes quote sources, names of files and of layers, and what code raised; in many courses those names are
    the students' own.
    """
    shown = for_student(result, rules, measures, published=published)
    checks = tuple(Check(name=check.name, verdict=check.verdict, reason="") for check in shown.checks)
    # The reason of a graded result is what an instructor said of it.
    told = {"reason": None, "hint": None} if result.status == "graded" else _outcome(result, told=False)
    network = None if shown.network is None else _without_reason(shown.network)
    nameless = {
        "members": (),
        "accounts": (),
        "nickname": None,
        "network": network,
        "checks": checks,
        "curves": tuple(map(_with_plain_labels, shown.curves)),
        "tables": tuple(map(_with_plain_rows, shown.tables)),
        "notes": (),
        "layers": (),
    }
    return shown.model_copy(update={**nameless, **told})


def holds_private(rules: AssignmentFile) -> bool:
    """Whether some of the graded images are private."""
    return rules.data["test"].public_fraction is not None


def points_are_public(rule: PointRule | RankPoints, rules: AssignmentFile, measures: Measures) -> bool:
    """Whether a line of the rubric tells nothing of private images."""
    deciding = (*rules.rubric.gates, _condition(rule))
    return not holds_private(rules) or all(map(measures.is_public, deciding))


def withheld(result: Result, shown: Result) -> tuple[str, ...]:
    """What kinds of things the version `shown` leaves out, for a line at its end; evidence is never hinted at."""
    found = []
    if set(result.metrics) - set(shown.metrics):
        found.append("what depends on private images")
    elif len(result.curves) > len(shown.curves):
        found.append("curves")
    if result.reason and result.reason != shown.reason:
        found.append("the message its code failed with")
    if result.printed and not shown.printed:
        found.append("what its code printed")
    return tuple(found)


def _all(result: Result, checks: tuple[Check, ...]) -> Result:
    return _kept(result).model_copy(
        update={
            "score": result.score,
            "max_score": result.max_score,
            "metrics": result.metrics,
            "checks": checks,
            "points": result.points,
            "curves": result.curves,
            "tables": result.tables,
            "layers": result.layers,
            "notes": result.notes,
        }
    )


def _without_private(result: Result, rules: AssignmentFile, measures: Measures, checks: Iterable[Check]) -> Result:
    lines = {rule.name for rule in rules.rubric.points if points_are_public(rule, rules, measures)}
    points = tuple(line for line in result.points if line.name in lines)
    return _kept(result).model_copy(
        update={
            "score": float(sum(line.points for line in points)),
            "max_score": float(sum(line.max_points for line in points)),
            "metrics": {name: each for name, each in result.metrics.items() if measures.is_public(name)},
            "checks": tuple(each for each in checks if measures.is_public(each.name)),
            "points": points,
        }
    )


def _kept(result: Result) -> Result:
    """What may be seen by anyone who may see the submission at all; the rest is added by those who allow it."""
    return Result(
        submission=result.submission,
        status=result.status,
        reason=None,
        digest=result.digest,
        score=0,
        max_score=0,
        confusion=result.confusion,
        network=None if result.network is None else _with_clean_reason(result.network),
        nickname=result.nickname,
        members=result.members,
        submitted_at=result.submitted_at,
        seconds=result.seconds,
        measured_at=result.measured_at,
    )


def _with_clean_reason(found: Verification) -> Verification:
    """The reason comes from tracing, before any image is in reach, but student code may have worded it."""
    return found.model_copy(update={"reason": None if found.reason is None else clean(found.reason)})


def _without_reason(found: Verification) -> Verification:
    return Verification(verified=found.verified, operators=found.operators)


def _with_plain_labels(curve: Curve) -> Curve:
    """With numbers where a student chose what a series is called."""
    series = (
        each.model_copy(update={"label": f"series {number}"}) if each.of_student else each
        for number, each in enumerate(curve.series, start=1)
    )
    return curve.model_copy(update={"series": tuple(series)})


def _with_plain_rows(table: Table) -> Table:
    rows = (
        each.model_copy(update={"label": f"network {number}"}) if each.of_student else each
        for number, each in enumerate(table.rows, start=1)
    )
    return table.model_copy(update={"rows": tuple(rows)})


def _outcome(result: Result, *, told: bool) -> dict[str, str | None]:
    """The reason and the hint; those of failures may be the words of the failing code."""
    if result.status == "graded" or told:
        return {"reason": result.reason, "hint": result.hint}
    return {"reason": _public_reason(result.status), "hint": AT_HOME}


def _public_reason(status: Status) -> str | None:
    return None if status == "graded" else describe_status(status)


def _condition(rule: PointRule | RankPoints) -> str:
    return (rule.check if isinstance(rule, PointRule) else None) or rule.metric or ACCURACY
