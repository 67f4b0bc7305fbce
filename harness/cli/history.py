"""`harness history`: list every attempt of one submission."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import click

from harness.cli.options import assignment_argument, load_assignment, store_option
from harness.errors import UsageError
from harness.text import suggestion

if TYPE_CHECKING:
    from rich.table import Table

    from harness.assignment.loading import Assignment
    from harness.values.decisions import Override
    from harness.values.results import Attempt


@click.command()
@assignment_argument
@click.argument("submission", metavar="SUBMISSION_ID")
@store_option
def command(*, assignment_name: str, submission: str, store_url: str) -> None:
    """Show every attempt of one submission, oldest first, and the instructor's overrides.

    Scores are the automatic points of each attempt, by the assignment as it is now.
    """
    from harness.board.judged import judged
    from harness.store.store import Store
    from harness.terminal.console import console, safe

    assignment, _ = load_assignment(assignment_name, {}, needs_data=False)
    with closing(Store.open(store_url, create=False)) as store:
        attempts = judged(store.history(assignment.id, submission), assignment)
        overrides = [each for name, each in store.overrides(assignment.id) if name == submission]
        if not attempts:
            hint = suggestion(submission, store.submissions(assignment.id))
            raise UsageError(f"{store.url} holds no results of {submission!r} for {assignment.id}{hint}")
    paper = console()
    paper.print(_table(attempts, assignment))
    for each in overrides:
        paper.print(safe(_said(each)))


def _table(attempts: tuple[Attempt, ...], assignment: Assignment) -> Table:
    from harness.terminal.console import safe, simple_table
    from harness.text import metric_text, score_text

    ranked_by = [key.metric for key in assignment.rules.ranking]
    table = simple_table("attempt", "graded", "files", "status", *ranked_by, "score")
    for place, each in enumerate(attempts, start=1):
        result = each.result
        digest = (result.digest or "unreadable").removeprefix("sha256:")[:10]
        figures = [metric_text(result.metrics[name]) if name in result.metrics else "" for name in ranked_by]
        table.add_row(
            str(place),
            f"{each.graded_at:%Y-%m-%d %H:%M}",
            digest,
            result.status,
            *(safe(figure) for figure in figures),
            score_text(result.score, result.max_score, result.pending),
        )
    return table


def _said(override: Override) -> str:
    parts = [f"status {override.status}"] if override.status else []
    parts += [f"score {override.score:.6g}"] if override.score is not None else []
    what = " and ".join(parts) or "overrides taken back"
    return f"{override.at:%Y-%m-%d %H:%M} {override.author}: {what}: {override.reason}"
