"""`harness check`: check one submission, as a student does before handing in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import (
    assignment_argument,
    data_option,
    json_option,
    load_assignment,
    write_json,
)
from harness.grading.events import GradingEvents, Progress
from harness.vocabulary import SANDBOXES, ExitCode

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

    from harness.assignment.loading import Assignment
    from harness.plugins import Plugins
    from harness.sandbox import Sandbox
    from harness.values.results import Result


@click.command()
@assignment_argument
@click.argument("path", metavar="SUBMISSION", type=click.Path(path_type=Path))
@click.option(
    "--sandbox",
    "sandbox_name",
    type=click.Choice(SANDBOXES),
    help="[default: the strongest that works here, else none]",
)
@json_option
@data_option
@click.option("--github", is_flag=True, help="In GitHub Actions: also write the summary, and points for Classroom.")
def command(
    *,
    assignment_name: str,
    path: Path,
    sandbox_name: str | None,
    json_to: str | None,
    data: dict[str, Path],
    github: bool,
) -> None:
    """Check one submission: what passes, what fails, and the score to expect.

    Uses the public images only. Exits with 1 when something failed or could not be checked.
    """
    from harness.grading.environment import environment
    from harness.sandbox import choose, for_check
    from harness.terminal.console import console
    from harness.terminal.report import check_view
    from harness.values.results import Report

    assignment, plugins = load_assignment(assignment_name, data)
    sandbox = choose(sandbox_name) if sandbox_name else for_check()
    result = _grade(path, assignment, plugins, sandbox, console(stderr=True))
    out = console(stderr=json_to == "-")
    out.print(check_view(result, assignment))
    _print_ending(result, assignment, sandbox, out)
    report = Report(assignment=assignment.info, environment=environment(sandbox.name), results=(result,))
    write_json(json_to, report.to_json())
    if github:
        from harness.cli.workflow import tell_github

        tell_github(report, assignment.rules.title)
    passed = result.status == "graded" and all(check.verdict == "passed" for check in result.checks)
    raise click.exceptions.Exit(ExitCode.DONE if passed else ExitCode.NOT_PASSED)


def _grade(path: Path, assignment: Assignment, plugins: Plugins, sandbox: Sandbox, err: Console) -> Result:
    from harness.grading.grader import grade_all
    from harness.submission.discovery import discover

    with err.status("reading") as status:
        (result,) = grade_all(
            assignment,
            discover([path], mode="single"),
            plugins=plugins,
            sandbox=sandbox,
            jobs=1,
            audience="student",
            events=_Shown(status),
        )
    return result


@dataclass
class _Shown(GradingEvents):
    """Show what runs."""

    status: Status

    def on_progress(self, progress: Progress) -> None:
        """See `GradingEvents`."""
        from harness.terminal.console import safe

        if progress.stage:
            self.status.update(safe(progress.stage))


def _print_ending(result: Result, assignment: Assignment, sandbox: Sandbox, out: Console) -> None:
    """The score to expect and what to do next."""
    from rich.text import Text

    from harness.report.view import is_flagged, next_steps
    from harness.terminal.console import safe

    out.print()
    if result.status == "graded":
        out.print(Text.assemble(("Predicted score  ", "bold"), prediction(result, assignment)))
    if sandbox.name == "none":
        out.print(Text("Without a sandbox: the code ran with all your rights. 'harness doctor' says more.", "dim"))
    steps = next_steps(result.checks)
    if result.status != "graded":
        steps = [result.hint or result.reason or result.status]
    if assignment.info.data.stand_in:
        steps.append("check again on the real images: --data test=FOLDER")
    if not steps:
        steps = ["everything passes: hand it in"]
    if is_flagged(result, assignment):
        steps.append(
            "to have the network verified as well, write forward with plain tensor operators, without decisions that "
            "depend on values"
        )
    out.print(Text("Next", "bold"))
    for step in steps:
        out.print(Text("  • ") + safe(step))


def prediction(result: Result, assignment: Assignment) -> str:
    """'1.5 / 4, probably between 1 and 2 (…)'."""
    from harness.points.rubric import predict
    from harness.text import score_text

    expected = predict(assignment.rules, {check.name: check for check in result.checks}, result.metrics)
    text = score_text(expected.score, result.max_score, result.pending)
    if assignment.rules.data["test"].public_fraction is None:
        return f"{text} (the same images are graded)"
    if expected.low == expected.high:
        return f"{text} (95 %: the private images should not change it)"
    return f"{text}, probably between {expected.low:.6g} and {expected.high:.6g} (95 %: private images decide the rest)"
