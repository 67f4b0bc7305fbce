"""Tell what `harness check` found where nobody sees a terminal: as Markdown, and as GitHub Classroom reads points."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from harness.report.markdown import markdown_table
from harness.report.view import STAND_IN, VERDICT_SYMBOLS, network_line, outcome
from harness.text import figure_text, interval_text, markdown_cell, points_text, score_text, whole_text
from harness.values.results import Report, Result


def markdown_of_check(result: Result, title: str, titles: Mapping[str, str], *, stand_in: bool = False) -> str:
    """What passes, what fails and why, the figures, the points so far, and what to do.

    Every text of students is one line without markup.

    Args:
        titles: what people call each metric.
    """
    if result.points_possible is not None:
        score = whole_text(result.score, result.points_possible, result.pending)
    else:
        score = score_text(result.score, result.max_score, result.pending)
    parts = [f"# {markdown_cell(title)}", f"**Points: {score}** · {markdown_cell(outcome(result))}"]
    parts += [f"> {STAND_IN}"] if stand_in else []
    rows = [(VERDICT_SYMBOLS[each.verdict], each.name, each.reason, each.hint or "") for each in result.checks]
    parts += markdown_table(("", "check", "reason", "what to do"), rows)
    named = [(titles.get(name, name), metric) for name, metric in result.metrics.items()]
    figures = [(name, figure_text(metric, name), interval_text(metric)) for name, metric in named]
    parts += markdown_table(("metric", "value", "95 % interval"), figures)
    points = [(line.name, points_text(line.points, line.max_points), line.reason) for line in result.points]
    parts += markdown_table(("for", "points", "reason"), points)
    if network := network_line(result, flagged=False):
        parts.append(markdown_cell(network, 4000))
    if result.hint:
        parts.append(f"Next: {markdown_cell(result.hint)}")
    return "\n\n".join(parts) + "\n"


def classroom_points(report: Report) -> str:
    """The result of a runner as `classroom-resources/autograding-grading-reporter` reads it from a step's output.

    Base64 of JSON: `version`, `status` (pass, fail, error), `max_score`, and `tests` with `name`, `status` and `score`
    (`src/helpers/test-helpers.js` there).
    """
    (result,) = report.results
    tests = [_test(line.name, line.points, full=line.points >= line.max_points) for line in result.points]
    passed = result.status == "graded" and all(each["status"] == "pass" for each in tests)
    status = "error" if result.status == "harness_error" else "pass" if passed else "fail"
    document = {"version": 1, "status": status, "max_score": result.max_score, "tests": tests}
    return base64.b64encode(json.dumps(document).encode()).decode()


def _test(name: str, points: float, *, full: bool) -> dict[str, object]:
    return {"name": name, "status": "pass" if full else "fail", "score": points, "test_code": "", "message": ""}
