"""Keep what `extend`, `excuse` and `remove` decide about someone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from harness.cli.options import (
    assignment_argument,
    author_option,
    composed,
    now,
    roster_option,
    store_option,
    why_option,
)

if TYPE_CHECKING:
    from harness.assignment.loading import Assignment
    from harness.board.matching import RosterFile
    from harness.store.store import Store
    from harness.values.decisions import RulingKind

Command = TypeVar("Command", bound=Callable[..., Any])


def ruling_options(command: Command) -> Command:
    """ASSIGNMENT, ID, --undo and what every decision has."""
    for option in reversed(
        (
            assignment_argument,
            click.argument("who", metavar="ID", callback=composed),
            store_option,
            roster_option,
            click.option("--undo", is_flag=True, help="Take an earlier decision of this kind back."),
            why_option,
            author_option,
        )
    ):
        command = option(command)
    return command


def groups_of(roster: RosterFile | None) -> Mapping[str, str]:
    """Id -> the person or team it belongs to, of everyone in the roster."""
    from harness.board.roster import read_roster

    return {} if roster is None else read_roster(roster.path).groups


@contextmanager
def deciding_about(
    who: str, assignment: Assignment, store_url: str, roster: RosterFile | None, *, ruled: bool = False
) -> Iterator[tuple[Store, str]]:
    """The store, and the id that was meant; a store is made where the roster knows who takes part.

    Args:
        ruled: whether an earlier ruling is enough to be known, though nothing else is left of someone.

    Raises:
        UsageError: nobody is called so, or there is no store.
    """
    from harness.board.whom import whom
    from harness.store.store import Store

    groups = groups_of(roster)
    with closing(Store.open(store_url, create=bool(groups))) as store:
        known = {name for name, _ in store.decisions(assignment.id).rulings()} if ruled else ()
        yield store, who if who in known else whom(store, assignment.id, who, groups)


def keep_ruling(
    store: Store,
    assignment: Assignment,
    kind: RulingKind,
    *,
    who: str,
    author: str,
    reason: str,
    undo: bool,
    until: datetime | None = None,
) -> None:
    """Keep a decision, and say what holds now beside what held before.

    Raises:
        UsageError: there is nothing to take back.
    """
    from harness.errors import UsageError
    from harness.values.decisions import Ruling, rulings_in_force

    decisions = store.decisions(assignment.id)
    before = rulings_in_force(decisions.rulings(), kind).get(who)
    if undo and before is None:
        raise UsageError(f"--undo: {who!r} is not {kind} in {assignment.id}")
    ruling = Ruling(at=now(), author=author, reason=reason, kind=kind, until=until, undone=undo)
    decisions.add(who, ruling)
    zone = assignment.rules.zone
    replaced = f" (before: {before.said(zone)})" if before is not None else ""
    click.echo(f"{who}: {ruling.said(zone)}{replaced}", err=True)
