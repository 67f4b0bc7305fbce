"""Say to the author of a hand-in what score to expect and what to do next."""

from __future__ import annotations

from harness.assignment.loading import Assignment
from harness.points.possible import points_possible
from harness.points.rubric import nothing, predict
from harness.report.view import is_flagged
from harness.text import clean, whole_text
from harness.values.results import Result

_PLAIN = (
    "to have the network verified as well, write forward with plain tensor operators, without decisions that depend on "
    "values"
)


def prediction(result: Result, assignment: Assignment) -> str:
    """'1.5 of 4, probably between 1 and 2 (…)'."""
    rules = assignment.rules
    expected = predict(rules, {check.name: check for check in result.checks}, result.metrics)
    # Whatever was found, the prediction covers every automatic line.
    text = whole_text(expected.score, points_possible(rules, nothing(rules, "")), result.pending)
    if rules.data["test"].public_fraction is None:
        return f"{text} (the same images are graded)"
    if expected.low == expected.high:
        return f"{text} (95 %: the private images should not change it)"
    return f"{text} (95 %: between {expected.low:.6g} and {expected.high:.6g}, private images decide the rest)"


def next_steps(result: Result, assignment: Assignment) -> list[str]:
    """What to do, the most urgent first; at least one thing."""
    if result.status != "graded":
        steps = [result.hint or "correct what is said here, then check again"]
        wanted = f"'harness show {assignment.argument}' says what is wanted"
        return steps if result.status == "harness_error" else [*steps, wanted]
    open_checks = [check.name for check in result.checks if check.verdict != "passed"]
    steps = [f"see to {', '.join(open_checks)}, then check again"] if open_checks else []
    if assignment.info.data.stand_in:
        steps.append("check again on the real images: --data test=FOLDER")
    steps = steps or ["everything passes: hand it in"]
    return [*steps, _PLAIN] if is_flagged(result, assignment) else steps


def own_facts(result: Result, assignment: Assignment) -> list[str]:
    """What a page's head does not say by itself of the same: score and hint stand there."""
    private = assignment.rules.data["test"].public_fraction is not None
    expected = [f"predicted score: {prediction(result, assignment)}" if private else "the same images are graded"]
    steps = [f"next: {clean(step, 1000)}" for step in next_steps(result, assignment) if step != result.hint]
    return [*(expected if result.status == "graded" else []), *steps]
