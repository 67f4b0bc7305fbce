"""The report of one submission as Markdown, and the prediction a student gets from `check`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tabulate import tabulate

from harness.api import Check, Verdict
from harness.assignment import AssignmentFile
from harness.results import Attempt, Result, describe_status
from harness.text import clean, clean_lines, interval_text, markdown_cell, metric_text, score_text

MARKS: dict[Verdict, str] = {"passed": "✓", "failed": "✗", "could_not_check": "?"}
STAND_IN = "Graded on stand-in data, synthetic images that only look like the real ones: these points mean nothing."


def metric_rows(result: Result, rules: AssignmentFile) -> list[tuple[str, str, str, str]]:
    """(name, value, 95 % interval, baselines reached and next) of every metric."""
    return [
        (name, metric_text(metric), interval_text(metric), _baselines(name, metric.value, rules))
        for name, metric in result.metrics.items()
    ]


def outcome(result: Result) -> str:
    """'graded', or the status with its reason."""
    words = describe_status(result.status)
    return f"{words}: {result.reason}" if result.reason else words


def next_steps(checks: Iterable[Check]) -> list[str]:
    """Which checks to see to; their own lines say how."""
    names = [check.name for check in checks if check.verdict != "passed"]
    return [f"see to {', '.join(names)} above, then check again"] if names else []


def markdown(attempt: Attempt, rules: AssignmentFile, *, printed: bool = False) -> str:
    """One submission's report.

    Args:
        printed: also what its code printed, which only an instructor may see.
    """
    result = attempt.result
    graded = f"{attempt.graded_at:%Y-%m-%d %H:%M} UTC · sandbox {attempt.environment.sandbox}"
    parts = [
        f"# {markdown_cell(result.submission)}",
        f"{markdown_cell(rules.title)} · {graded}",
        f"**{score_text(result.score, result.max_score)} points** · {markdown_cell(outcome(result))}",
    ]
    if result.hint:
        parts.append(f"Next: {markdown_cell(result.hint)}")
    if attempt.assignment.data.stand_in:
        parts.append(f"> {STAND_IN}")
    checks = [(MARKS[each.verdict], each.name, each.reason, each.hint or "") for each in result.checks]
    points = [(line.name, score_text(line.points, line.max_points), line.reason) for line in result.points]
    parts += _section("Checks", ("", "check", "reason", "hint"), checks)
    parts += _section("Metrics", ("metric", "value", "95 % interval", "baselines"), metric_rows(result, rules))
    parts += _section("Points", ("for", "points", "reason"), points)
    if result.notes:
        parts += ["## Notes", "\n".join(f"- {markdown_cell(note)}" for note in result.notes)]
    if printed and result.printed:
        # Indented, not fenced: no text of theirs can end an indented block.
        parts += ["## What its code printed", "\n".join(f"    {line}" for line in clean_lines(result.printed))]
    return "\n\n".join(parts) + "\n"


def _section(title: str, headers: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    cells = [[markdown_cell(cell) for cell in row] for row in rows]
    return [f"## {title}", tabulate(cells, headers, tablefmt="github", disable_numparse=True)]


def _baselines(name: str, value: float, rules: AssignmentFile) -> str:
    if name not in {"accuracy", "accuracy_public", "accuracy_private"} or not rules.baselines:
        return ""
    reached = [baseline for baseline, wanted in rules.baselines.items() if value >= wanted]
    missed = {baseline: wanted for baseline, wanted in rules.baselines.items() if value < wanted}
    parts = [f"reaches {', '.join(reached)}"] if reached else []
    if missed:
        nearest = min(missed, key=missed.__getitem__)
        parts.append(f"below {nearest} ({100 * missed[nearest]:.2f} %)")
    return clean("; ".join(parts))
