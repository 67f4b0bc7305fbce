"""`harness show`: what an assignment wants, before anything is trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import assignment_argument, json_option, load_assignment, write_json, write_text

if TYPE_CHECKING:
    from harness.assignment.loading import Assignment
    from harness.plugins import Plugins


@click.command()
@assignment_argument
@click.option(
    "--stub",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a source to start from: a small network of the right shape, and a distillation loss.",
)
@json_option
def command(*, assignment_name: str, stub: Path | None, json_to: str | None) -> None:
    """Show what to hand in, what is measured, and what gives points.

    Needs neither the images nor torch.
    """
    from rich.text import Text

    from harness.assignment.wanted import wanted
    from harness.terminal.console import console, plain_grid, safe

    assignment, plugins = load_assignment(assignment_name, {}, needs_data=False)
    found, paper = wanted(assignment, plugins), console(stderr=json_to == "-")
    paper.print(safe(assignment.rules.title, "bold"))
    grid = plain_grid()
    for about, sentences in found.items():
        for number, sentence in enumerate(sentences):
            grid.add_row(Text(about, "bold") if not number else "", "", safe(sentence, limit_characters=2000))
    paper.print(grid)
    if stub is not None:
        _write_stub(stub, assignment, plugins)
    paper.print(safe(f"check it at home: harness check {assignment_name} FOLDER", "cyan"))
    paper.print(safe(f"pack it to hand it in: harness submit {assignment_name} FOLDER", "cyan"))
    write_json(json_to, json.dumps({"assignment": assignment.id, "title": assignment.rules.title, **found}, indent=2))


def _write_stub(stub: Path, assignment: Assignment, plugins: Plugins) -> None:
    from harness.assignment.stub import stub_source

    if stub.exists():
        raise click.UsageError(f"{stub} is there already, and may be your work: name another file")
    write_text(stub, stub_source(assignment, plugins))
    click.echo(f"wrote {stub}: train it, then save its weights as it says at the end", err=True)
