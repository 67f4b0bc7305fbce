"""`harness handout`: what students are given of an assignment."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import assignment_argument, data_option, load_assignment, plugins_print_to_stderr


@click.command()
@assignment_argument
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="FOLDER",
    help="Where it is written: a new folder.",
)
@click.option(
    "--starter",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    metavar="FILE",
    help="A file to hand out as well; may be given several times.",
)
@data_option
def command(*, assignment_name: str, out: Path, starter: tuple[Path, ...], data: dict[str, Path]) -> None:
    """Write what students are given: the assignment, its public images, a source to start from.

    Private images stay here. 'harness check' says the same with it as with the course's own file.
    """
    from harness.data.handout import hand_out

    assignment, plugins = load_assignment(assignment_name, data)
    with plugins_print_to_stderr():
        written = hand_out(assignment, plugins, out, starter)
    for each in written:
        click.echo(f"{out / each}")
