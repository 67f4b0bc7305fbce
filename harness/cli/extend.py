"""`harness extend`: give someone more time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from harness.cli.options import load_assignment
from harness.cli.ruling import deciding_about, keep_ruling, ruling_options
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.board.matching import RosterFile
    from harness.values.late_policy import LatePolicy


@click.command()
@ruling_options
@click.option("--until", metavar="TIME", help="When it is due, such as 2026-01-31T23:59.")
def command(
    *,
    assignment_name: str,
    who: str,
    store_url: str,
    roster: RosterFile | None,
    undo: bool,
    reason: str,
    author: str,
    until: str | None,
) -> None:
    """Give a submission, a person or a team more time.

    Lateness counts from then on. A due date in a table that --times names must be the same. With --roster, ID may be
    someone who has handed in nothing yet.
    """
    if undo == (until is not None):
        raise UsageError("say how long with --until TIME, or take the extension back with --undo")
    assignment, _ = load_assignment(assignment_name, {}, needs_data=False)
    moment = None if until is None else _moment(until, assignment.rules.rubric.late)
    with deciding_about(who, assignment, store_url, roster) as (store, found):
        keep_ruling(store, assignment, "extended", who=found, author=author, reason=reason, undo=undo, until=moment)


def _moment(text: str, policy: LatePolicy | None) -> datetime:
    from datetime import UTC

    from harness.values.moments import moment_text, read_moment

    zone, due = (None, None) if policy is None else (policy.zone, policy.due_at)
    try:
        moment = read_moment(text, zone)
    except ValueError as error:
        raise UsageError(f"--until {text}: {error}") from error
    if due is None:
        click.echo("Nothing is due in this assignment yet: [rubric.late] due says when.", err=True)
    elif moment < due:
        raise UsageError(f"--until {text}: everyone has until {moment_text(due, zone or due.tzinfo or UTC)}")
    # As the course's clocks show it, so that it is told as it was given.
    return moment.astimezone(zone or moment.tzinfo)
