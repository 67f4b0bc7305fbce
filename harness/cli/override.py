"""`harness override`: set an instructor's word against the harness's, beside what it replaces."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import click

from harness.cli.options import (
    assignment_argument,
    author_option,
    composed,
    load_assignment,
    now,
    store_option,
    why_option,
)
from harness.errors import UsageError
from harness.text import suggestion
from harness.vocabulary import STATUSES

if TYPE_CHECKING:
    from harness.values.board import Entry


@click.command()
@assignment_argument
@click.argument("submission", metavar="SUBMISSION_ID", callback=composed)
@store_option
@click.option("--score", type=float, help="The score, all points together.")
@click.option("--status", type=click.Choice(STATUSES), help="The status; whatever is not 'graded' has no rank.")
@click.option(
    "--check",
    "verdicts",
    multiple=True,
    metavar="NAME=passed|failed",
    help="The verdict of a check, such as one that could not be made; points follow from it.",
)
@click.option("--undo", is_flag=True, help="Take earlier overrides back.")
@click.option("--beyond", is_flag=True, help="Allow a score below 0 or above the most there is.")
@why_option
@author_option
def command(
    *,
    assignment_name: str,
    submission: str,
    store_url: str,
    score: float | None,
    status: str | None,
    verdicts: tuple[str, ...],
    undo: bool,
    beyond: bool,
    reason: str,
    author: str,
) -> None:
    """Set the score, the status or a check's verdict of a submission.

    It holds for what was handed in and for what will be, until it is replaced or undone. Nothing is deleted: the values
    that were found stay in the store and in the instructor's report.
    """
    import math

    from harness.board.record import BoardRequest, class_record
    from harness.board.whom import whom
    from harness.store.store import Store
    from harness.values.decisions import Override

    if undo == (score is not None or status is not None or bool(verdicts)):
        raise UsageError("--undo takes earlier overrides back: name either it, or --score, --status or --check")
    if score is not None and not math.isfinite(score):
        raise UsageError(f"--score {score}: not a number of points")
    assignment, _ = load_assignment(assignment_name, {}, needs_data=False)
    checks = _verdicts(verdicts, assignment.measures.checks)
    with closing(Store.open(store_url, create=False)) as store:
        found = whom(store, assignment.id, submission)
        before = class_record(store, assignment, BoardRequest(live=True)).board.entry(found)
        if score is not None and before is not None and not beyond:
            _check_range(score, before.max_score)
        fields = {"at": now(), "author": author, "reason": reason, "status": status, "score": score}
        fields["checks"] = checks
        store.decisions(assignment.id).add(found, Override.model_validate(fields))
        after = class_record(store, assignment, BoardRequest(live=True)).board.entry(found)
    click.echo(f"{found}: {'overrides are taken back' if undo else 'overridden'}{_change(before, after)}", err=True)


def _check_range(score: float, most: float) -> None:
    if not 0 <= score <= most:
        raise UsageError(f"--score {score:g}: scores go from 0 to {most:g}; --beyond allows others")


def _change(before: Entry | None, after: Entry | None) -> str:
    """', 60 / 100 -> 70 / 100', as the board has it; nothing for a hand-in that is not on it."""
    from harness.text import score_text

    if before is None or after is None:
        return ""
    old, new = (f"{score_text(row.score, row.possible.total, row.pending)}, {row.status}" for row in (before, after))
    return f": {old} → {new}" if old != new else f": {new}, as before"


def _verdicts(given: Sequence[str], known: Collection[str]) -> dict[str, str]:
    found = {}
    for each in given:
        name, _, verdict = each.partition("=")
        if name not in known:
            raise UsageError(f"--check {each}: there is no check {name!r}{suggestion(name, known)}")
        if verdict not in {"passed", "failed"}:
            raise UsageError(f"--check {each}: write {name}=passed or {name}=failed")
        found[name] = verdict
    return found
