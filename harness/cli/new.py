"""`harness new`: make something to start from. What it makes works as it is."""

from __future__ import annotations

from pathlib import Path

import click

_KINDS = ("evaluator", "weights-format", "data-set", "writer", "exporter", "executor")

_out_option = click.option(
    "--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Where it is made.  [default: a folder NAME]"
)


@click.group()
def command() -> None:
    """Make a plugin, an assignment, a submission or a workflow to start from."""


@command.command("plugin")
@click.argument("name", metavar="NAME")
@click.option("--kind", type=click.Choice(_KINDS), default="evaluator", show_default=True, help="What it adds.")
@_out_option
def plugin(*, name: str, kind: str, out: Path | None) -> None:
    """Make a plugin with its tests.

    'pip install -e FOLDER' makes it known, and 'pytest FOLDER' runs its tests.
    """
    from harness.cli.templates import fill_in, spelt, template

    names, folder = spelt("plugin", name), out or Path(name)
    files = [template("plugin", "pyproject.toml"), *_files(template("plugin", kind.replace("-", "_")))]
    _say(fill_in(files, folder, names), f"pip install -e {folder} && pytest {folder}")


@command.command("assignment")
@click.argument("name", metavar="NAME")
@_out_option
def assignment(*, name: str, out: Path | None) -> None:
    """Make an assignment with a thousand labelled images to try it on.

    A folder of 'harness new submission' passes it.
    """
    from harness.assignment.shipped import fixtures
    from harness.cli.templates import fill_in, spelt, template

    names, folder = spelt("assignment", name), out or Path(name)
    made = fill_in(_files(template("assignment")), folder, names)
    images = fill_in(_files(fixtures() / "data" / "fashion-mnist-train-1000"), folder / "images", {})
    _say([*made, images[0].parent], f"harness check {folder / names['my_assignment']}.toml SUBMISSION")


@command.command("submission")
@click.argument("name", metavar="NAME")
@_out_option
def submission(*, name: str, out: Path | None) -> None:
    """Make a small trained network as it is handed in.

    It fits 'harness new assignment', and any assignment with ten classes that wants a StudentNet for images 3x28x28.
    """
    from harness.cli.templates import fill_in, spelt, template

    folder = out or Path(name)
    made = fill_in(_files(template("submission")), folder, spelt("submission", name))
    _say(made, f"harness check ASSIGNMENT {folder}")


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


def _files(folder: Path) -> list[Path]:
    """Without what Python leaves behind."""
    return sorted(each for each in folder.iterdir() if each.name != "__pycache__")


def _say(made: list[Path], then: str) -> None:
    for path in made:
        click.echo(f"wrote {path}")
    click.echo(f"Next: {then}")
