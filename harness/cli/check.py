"""`harness check`: check one submission, as a student does before handing in."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import (
    assignment_argument,
    data_option,
    json_option,
    load_assignment,
    plugins_print_to_stderr,
    write_json,
    write_text,
)
from harness.terminal.stages import Stages
from harness.vocabulary import SANDBOXES, ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.assignment.loading import Assignment
    from harness.plugins import Plugins
    from harness.sandbox import Sandbox
    from harness.submission.hand_in import HandIn
    from harness.terminal.check import Checked
    from harness.values.results import Attempt, Result

_LOOK_SECONDS = 0.3


@click.command()
@assignment_argument
@click.argument("path", metavar="SUBMISSION", type=click.Path(path_type=Path))
@click.option(
    "--sandbox",
    "sandbox_name",
    type=click.Choice(SANDBOXES),
    help="[default: the strongest that works here, else none]",
)
@click.option("--watch", is_flag=True, help="Stay, and check again whenever a file changes; Ctrl-C ends it.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Also write all of it as a page.")
@click.option("--open", "opens", is_flag=True, help="Show the page that --html writes in a browser.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
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

    Uses the public images only. Exits with 1 when something failed or could not be checked.
    """
    if opens and html is None:
        raise click.UsageError("--open shows the page that --html FILE writes: name the file")
    with Stages("starting", quiet=quiet) as stages:
        checking = _started(assignment_name, path, sandbox_name, data)
        result = checking.run(stages)
    out = _Out(html, json_to, quiet=quiet, github=github)
    out.say(checking, result)
    if opens:
        click.launch(str(html))
    while watch:
        checking.wait_for_change()
        with Stages("checking again", quiet=quiet) as stages:
            result = checking.run(stages)
        out.say(checking, result)
    passed = result.status == "graded" and all(check.verdict == "passed" for check in result.checks)
    raise click.exceptions.Exit(ExitCode.DONE if passed else ExitCode.NOT_PASSED)


@dataclass
class _Checking:
    """One hand-in, which may be checked again and again with everything warm."""

    path: Path
    assignment: Assignment
    plugins: Plugins
    sandbox: Sandbox
    seen: str = ""
    """The signature of its files when they were last checked."""

    def run(self, stages: Stages) -> Result:
        """Check it as it is now."""
        from harness.grading.first_look import first_look
        from harness.submission.discovery import discover

        self.seen = self._signature()
        stages.enter("reading")
        (hand_in,) = discover([self.path], mode="single")
        with plugins_print_to_stderr():
            refused = first_look(hand_in, self.assignment, self.plugins, self.sandbox)
            return refused or self._graded(hand_in, stages)

    def wait_for_change(self) -> None:
        """Until a file is another one than when it was last checked, and stays as it is for a moment."""
        before = self.seen
        while (now := self._signature()) == self.seen or now != before:
            before = now
            time.sleep(_LOOK_SECONDS)

    def _signature(self) -> str:
        from harness.submission.signatures import file_signature

        try:
            return file_signature([self.path])
        except OSError:  # a file that is replaced just now
            return ""

    def _graded(self, hand_in: HandIn, stages: Stages) -> Result:
        stages.enter("loading torch")
        # In the process that starts workers, while this one imports it as well.
        self.sandbox.warm()
        from harness.grading.events import GradingEvents, Progress
        from harness.grading.grader import grade_all

        class Shown(GradingEvents):
            def on_progress(self, progress: Progress) -> None:
                if progress.stage:
                    stages.enter(progress.stage)

        (result,) = grade_all(
            self.assignment,
            [hand_in],
            plugins=self.plugins,
            sandbox=self.sandbox,
            jobs=1,
            audience="student",
            events=Shown(),
        )
        return result


def _started(name: str, path: Path, sandbox_name: str | None, data: dict[str, Path]) -> _Checking:
    """The assignment and the sandbox, neither of which needs torch."""
    from harness.sandbox import choose, for_check

    assignment, plugins = load_assignment(name, data)
    sandbox = choose(sandbox_name) if sandbox_name else for_check()
    return _Checking(path, assignment, plugins, sandbox)


@dataclass(frozen=True)
class _Out:
    """Where results go: the terminal, a page, JSON."""

    html: Path | None
    json_to: str | None
    quiet: bool
    github: bool = False

    def say(self, checking: _Checking, result: Result) -> None:
        from datetime import UTC, datetime

        from harness.assignment.loading import metric_limits
        from harness.grading.environment import environment
        from harness.terminal.check import Checked
        from harness.values.results import Attempt, Report

        assignment, sandbox = checking.assignment, checking.sandbox.name
        limits = metric_limits(assignment, checking.plugins)
        self._print(Checked(result, assignment, limits, walled=sandbox != "none"))
        info, where = assignment.info, environment(sandbox)
        attempt = Attempt(number=1, graded_at=datetime.now(UTC), assignment=info, environment=where, result=result)
        self._page(attempt, assignment, limits)
        report = Report(assignment=info, environment=where, results=(result,))
        write_json(self.json_to, report.to_json())
        if self.github:
            from harness.cli.workflow import tell_github

            tell_github(report, assignment.rules.title)

    def _print(self, checked: Checked) -> None:
        from harness.terminal.check import check_view
        from harness.terminal.console import console

        if not self.quiet:
            console(stderr=self.json_to == "-").print(check_view(checked))

    def _page(self, attempt: Attempt, assignment: Assignment, limits: Mapping[str, float]) -> None:
        if self.html is None:
            return
        from harness.web.checked_result import own_page

        write_text(self.html, own_page(attempt, assignment, limits))
        if not self.quiet:
            click.echo(f"wrote {self.html}", err=True)
