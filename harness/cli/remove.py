"""`harness remove`: someone is no longer in the class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli.options import load_assignment
from harness.cli.ruling import deciding_about, keep_ruling, ruling_options
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.board.matching import RosterFile


@click.command()
@ruling_options
@click.option(
    "--forget", is_flag=True, help="Also delete its attempts, weights and printed output; this cannot be undone."
)
def command(
    *,
    assignment_name: str,
    who: str,
    store_url: str,
    roster: RosterFile | None,
    undo: bool,
    reason: str,
    author: str,
    forget: bool,
) -> None:
    """Take a submission, a person or a team off the board.

    They are in no statistic and no export either. What was graded stays in the store, unless --forget deletes it; that
    it was removed, by whom and why, stays there in any case.
    """
    if undo and forget:
        raise UsageError("--undo takes a removal back, --forget deletes for good: name one of them")
    assignment, _ = load_assignment(assignment_name, {}, needs_data=False)
    with deciding_about(who, assignment, store_url, roster, ruled=True) as (store, found):
        keep_ruling(store, assignment, "removed", who=found, author=author, reason=reason, undo=undo)
        if forget:
            count = store.decisions(assignment.id).forget(found)
            click.echo(f"{found}: {count} {'attempt is' if count == 1 else 'attempts are'} deleted", err=True)
