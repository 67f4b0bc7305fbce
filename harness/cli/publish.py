"""`harness publish`: let the class see private ranks from now on."""

from __future__ import annotations

from contextlib import closing

import click

from harness.cli.options import assignment_argument, author_option, load_assignment, now, store_option
from harness.errors import UsageError


@click.command()
@assignment_argument
@store_option
@click.option("--undo", is_flag=True, help="Show public figures only again.")
@author_option
def command(*, assignment_name: str, store_url: str, undo: bool, author: str) -> None:
    """Publish what the private images decide: boards then rank by them without being asked.

    Only for assignments that split their images. Usually after 'harness freeze'.
    """
    from harness.store.store import Store
    from harness.values.decisions import Event

    assignment, _ = load_assignment(assignment_name, {}, needs_data=False)
    if assignment.rules.data["test"].public_fraction is None:
        raise UsageError(f"{assignment.id} does not split its images: there is nothing private to publish")
    with closing(Store.open(store_url, create=False)) as store:
        fields = {"at": now(), "author": author, "kind": "withdrawn" if undo else "published"}
        store.decisions(assignment.id).add_event(Event.model_validate(fields))
    click.echo(f"{assignment.id}: private ranks are {'withdrawn' if undo else 'published'}", err=True)
