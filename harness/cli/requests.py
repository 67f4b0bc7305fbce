"""`harness requests`: who asked for another look, and what the answer was."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import (
    assignment_argument,
    author_option,
    composed,
    deliver,
    load_assignment,
    now,
    out_option,
    store_option,
)
from harness.errors import UsageError

if TYPE_CHECKING:
    from datetime import tzinfo

    from harness.values.decisions import Request

_COLUMNS = ("id", "asked_at", "request", "state", "answered_at", "answered_by", "answer")


@click.command()
@assignment_argument
@click.argument("who", metavar="[ID]", required=False, callback=composed)
@store_option
@click.option("--ask", metavar="TEXT", help="Note what this submission's students ask for.")
@click.option("--answer", metavar="TEXT", help="Answer the newest request; the student's report shows it.")
@click.option("--open", "only_open", is_flag=True, help="List only those without an answer.")
@author_option
@out_option
def command(
    *,
    assignment_name: str,
    who: str | None,
    store_url: str,
    ask: str | None,
    answer: str | None,
    only_open: bool,
    author: str,
    out: Path | None,
) -> None:
    """List regrade requests, note one, or answer it.

    The list is CSV. An answer changes no points: 'harness override' does that. Both are in the history and in the
    report.
    """
    from harness.board.whom import whom
    from harness.store.store import Store
    from harness.values.decisions import Request, thread

    if who is None and (ask is not None or answer is not None):
        raise UsageError("--ask and --answer need an ID: whose request it is")
    assignment, _ = load_assignment(assignment_name, {}, needs_data=False)
    with closing(Store.open(store_url, create=False)) as store:
        decisions = store.decisions(assignment.id)
        found = None if who is None else whom(store, assignment.id, who)
        for text, answers in ((ask, False), (answer, True)):
            if text is None or found is None:
                continue
            if not text.strip():
                raise UsageError("--ask and --answer need a text")
            if answers and not any(reply is None for _, reply in thread(decisions.requests(), found)):
                raise UsageError(f"--answer: {found} has no request without an answer; --ask notes one")
            decisions.add(found, Request(at=now(), author=author, text=text, answers=answers))
            click.echo(f"{found}: {'answered' if answers else 'noted'}", err=True)
        requests = decisions.requests()
    if ask is not None or answer is not None:
        return
    names = sorted({name for name, _ in requests}) if found is None else [found]
    rows = [(name, asked, reply) for name in names for asked, reply in thread(requests, name)]
    shown = (row for row in rows if row[2] is None or not only_open)
    deliver({"requests.csv": _table(shown, assignment.rules.zone)}, out)


def _table(rows: Iterable[tuple[str, Request, Request | None]], zone: tzinfo) -> str:
    from harness.text import csv_cell

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for who, asked, reply in rows:
        cells: list[str | None] = [who, asked.at.astimezone(zone).isoformat(timespec="seconds"), asked.text]
        if reply is None:
            cells += ["open", None, None, None]
        else:
            cells += ["answered", reply.at.astimezone(zone).isoformat(timespec="seconds"), reply.author, reply.text]
        writer.writerow([csv_cell(cell) for cell in cells])
    return text.getvalue()
