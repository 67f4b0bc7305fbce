"""`harness new`: make something to start from. What it makes works as it is."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def command() -> None:
    """Make something to start from."""


@command.command("workflow")
@click.argument("assignment_name", metavar="ASSIGNMENT")
@click.option("--submission", default=".", show_default=True, help="Where students hand in, in their repository.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=".github/workflows/classroom.yml",
    show_default=True,
    help="Write to this file.",
)
def workflow(*, assignment_name: str, submission: str, out: Path) -> None:
    """Make a GitHub Actions file for the template of a class's repositories.

    Every push is checked: what passes and what fails is the summary of the run, and the points go to GitHub Classroom's
    autograder. ASSIGNMENT is the id of a shipped one, or a file in the repository.
    """
    from harness.cli.workflow import write_workflow

    write_workflow(assignment_name, submission, out)
    click.echo(f"wrote {out}", err=True)
