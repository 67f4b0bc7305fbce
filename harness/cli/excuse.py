"""`harness excuse`: the assignment does not count for someone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli.options import load_assignment
from harness.cli.ruling import deciding_about, keep_ruling, ruling_options

if TYPE_CHECKING:
    from harness.board.matching import RosterFile


@click.command()
@ruling_options
def command(
    *, assignment_name: str, who: str, store_url: str, roster: RosterFile | None, undo: bool, reason: str, author: str
) -> None:
    """Excuse a submission, a person or a team: neither a score nor a zero.

    They are in no rank, curve or statistic; exports say so in the words of each system. Nothing is deleted. A person of
    a team is excused alone: the team's hand-in counts for the others.
    """
    assignment, _ = load_assignment(assignment_name, {}, needs_data=False)
    with deciding_about(who, assignment, store_url, roster) as (store, found):
        keep_ruling(store, assignment, "excused", who=found, author=author, reason=reason, undo=undo)
