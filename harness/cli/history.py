"""`harness history`: list every attempt of one submission."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import click

from harness.cli.options import assignment_argument, composed, load_assignment, store_option

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from rich.text import Text

    from harness.assignment.loading import Assignment
    from harness.terminal.fitting import TurningTable
    from harness.values.decisions import Override, Request, Ruling
    from harness.values.results import Attempt


@click.command()
@assignment_argument
@click.argument("submission", metavar="SUBMISSION_ID", callback=composed)
@store_option
def command(*, assignment_name: str, submission: str, store_url: str) -> None:
    """Show every attempt of one submission, oldest first, and all that was decided and asked about it.

    Scores are the automatic points of each attempt, by the assignment as it is now.
    """
    from harness.board.judged import judged
    from harness.board.whom import whom
    from harness.store.store import Store
    from harness.terminal.console import console, safe

    assignment, _ = load_assignment(assignment_name, {}, needs_data=False)
    with closing(Store.open(store_url, create=False)) as store:
        decisions = store.decisions(assignment.id)
        overrides, rulings, requests = decisions.overrides(), decisions.rulings(), decisions.requests()
        decided: list[tuple[str, Override | Ruling | Request]] = [*overrides, *rulings, *requests]
        # Someone who was forgotten, or has handed in nothing yet, may still have been decided about.
        ruled = {who for who, _ in decided}
        found = submission if submission in ruled else whom(store, assignment.id, submission)
        attempts = judged(store.history(assignment.id, found), assignment)
    paper = console()
    if attempts:
        paper.print(_table(attempts, assignment))
    for _, each in sorted((each for each in decided if each[0] == found), key=lambda each: each[1].at):
        paper.print(safe(_said(each, assignment.rules.zone), limit_characters=2000))


def _table(attempts: tuple[Attempt, ...], assignment: Assignment) -> TurningTable:
    from harness.terminal.console import safe
    from harness.terminal.fitting import TurningTable
    from harness.text import figure_text, score_text
    from harness.values.moments import moment_text

    ranked_by = [key.metric for key in assignment.rules.ranking]
    titles = {name: assignment.measures.title(name) for name in ranked_by}
    rows: list[Sequence[str | Text]] = []
    for place, each in enumerate(attempts, start=1):
        result = each.result
        digest = (result.digest or "unreadable").removeprefix("sha256:")[:10]
        figures = [safe(figure_text(result.metrics.get(name), title)) for name, title in titles.items()]
        when = moment_text(each.graded_at, assignment.rules.zone)
        score = score_text(result.score, result.max_score, result.pending)
        rows.append((str(place), when, digest, result.status, *figures, score))
    return TurningTable(("attempt", "graded", "files", "status", *titles.values(), "score"), rows, heading=2)


def _said(decision: Override | Ruling | Request, zone: tzinfo) -> str:
    """'2026-01-31 12:00 UTC+08:00 Dr. Li: score 12.5: seen in the demo'."""
    from harness.values.decisions import Request, Ruling
    from harness.values.moments import moment_text

    when = f"{moment_text(decision.at, zone)} {decision.author}"
    match decision:
        case Ruling():
            return f"{when}: {decision.what(zone)}: {decision.reason}"
        case Request():
            return f"{when}: {'answered' if decision.answers else 'asked'}: {decision.text}"
    parts = [f"status {decision.status}"] if decision.status else []
    parts += [f"score {decision.score:.6g}"] if decision.score is not None else []
    parts += [f"{name} {verdict}" for name, verdict in decision.checks.items()]
    return f"{when}: {' and '.join(parts) or 'overrides taken back'}: {decision.reason}"
