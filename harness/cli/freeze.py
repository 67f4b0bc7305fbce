"""`harness freeze`: keep later attempts off the board from now on."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import click

from harness.cli.options import assignment_argument, author_option, load_assignment, now, store_option
from harness.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from harness.values.rules import AssignmentFile


@click.command()
@assignment_argument
@store_option
@click.option("--at", "at", metavar="TIME", help="Freeze at this time instead of now, such as 2026-01-31T23:59+08:00.")
@click.option("--undo", is_flag=True, help="Let later attempts onto the board again.")
@author_option
def command(*, assignment_name: str, store_url: str, at: str | None, undo: bool, author: str) -> None:
    """Freeze the board: attempts that are graded later are kept, but not shown on it.

    Freezing again moves the time. Boards and exports say that they are frozen, and when.
    """
    from harness.store.store import Store
    from harness.values.decisions import Event
    from harness.values.moments import moment_text

    if undo and at is not None:
        raise UsageError("--at and --undo: name one of them")
    assignment, _ = load_assignment(assignment_name, {}, needs_data=False)
    moment = None if undo else _moment(at, assignment.rules)
    with closing(Store.open(store_url, create=False)) as store:
        kind = "thawed" if undo else "frozen"
        fields = {"at": now(), "author": author, "kind": kind, "moment": moment}
        store.decisions(assignment.id).add_event(Event.model_validate(fields))
    state = "not frozen any more" if moment is None else f"frozen at {moment_text(moment, assignment.rules.zone)}"
    click.echo(f"{assignment.id}: {state}", err=True)


def _moment(text: str | None, rules: AssignmentFile) -> datetime:
    from harness.values.moments import read_moment

    if text is None:
        return now()
    try:
        return read_moment(text, late.zone if (late := rules.rubric.late) else None)
    except ValueError as error:
        raise UsageError(f"--at {text}: {error}") from error
