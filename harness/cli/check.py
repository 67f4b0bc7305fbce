"""`harness check`: check one submission, as a student does before handing in."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.checking import Out, own_sandbox_option, passed, started
from harness.cli.options import assignment_argument, data_option, json_option, quiet_option
from harness.terminal.stages import Stages
from harness.vocabulary import ExitCode


@click.command()
@assignment_argument
@click.argument("path", metavar="SUBMISSION", type=click.Path(path_type=Path))
@own_sandbox_option
@click.option("--watch", is_flag=True, help="Stay, and check again whenever a file changes; Ctrl-C ends it.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Also write all of it as a page.")
@click.option("--open", "opens", is_flag=True, help="Show the page that --html writes in a browser.")
@quiet_option
@json_option
@data_option
@click.option("--github", is_flag=True, help="In GitHub Actions: also write the summary, and points for Classroom.")
def command(
    *,
    assignment_name: str,
    path: Path,
    sandbox_name: str | None,
    watch: bool,
    html: Path | None,
    opens: bool,
    quiet: bool,
    json_to: str | None,
    data: dict[str, Path],
    github: bool,
) -> None:
    """Check one submission: what passes, what fails, and the score to expect.

    Uses the public images only. Exits with 1 when something failed or could not be checked. 'harness show ASSIGNMENT'
    says what to hand in, 'harness submit' packs it.
    """
    if opens and html is None:
        raise click.UsageError("--open shows the page that --html FILE writes: name the file")
    with Stages("starting", quiet=quiet) as stages:
        checking = started(assignment_name, path, sandbox_name, data)
        result = checking.run(stages)
    out = Out(html, json_to, quiet=quiet, github=github)
    out.say(checking, result)
    if opens:
        click.launch(str(html))
    while watch:
        checking.wait_for_change()
        with Stages("checking again", quiet=quiet) as stages:
            result = checking.run(stages)
        out.say(checking, result)
    raise click.exceptions.Exit(ExitCode.DONE if passed(result) else ExitCode.NOT_PASSED)
