"""Check one hand-in and say what came of it: what `harness check` and `harness submit` have in common."""

from __future__ import annotations

import gc
import importlib
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import load_assignment, plugins_print_to_stderr, write_json, write_text
from harness.vocabulary import SANDBOXES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.assignment.loading import Assignment
    from harness.plugins import Plugins
    from harness.sandbox import Sandbox
    from harness.submission.hand_in import HandIn
    from harness.terminal.check import Checked
    from harness.terminal.stages import Stages
    from harness.values.results import Attempt, Result

_LOOK_SECONDS = 0.3

own_sandbox_option = click.option(
    "--sandbox",
    "sandbox_name",
    type=click.Choice(SANDBOXES),
    help="[default: the strongest that works here, else none]",
)


@dataclass
class Checking:
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
        with _importing():
            from harness.grading.events import GradingEvents, Progress
            from harness.grading.grader import grade_all
            from harness.parallel import usable_cpus

        class Shown(GradingEvents):
            def on_progress(self, progress: Progress) -> None:
                if progress.stage:
                    stages.enter(progress.stage)

        (result,) = grade_all(
            self.assignment,
            [hand_in],
            plugins=self.plugins,
            sandbox=self.sandbox,
            jobs=usable_cpus(),
            audience="student",
            events=Shown(),
        )
        return result


def started(name: str, path: Path, sandbox_name: str | None, data: dict[str, Path]) -> Checking:
    """The assignment and the sandbox, neither of which needs torch here: the process that starts workers imports it."""
    from harness.sandbox import choose, for_check

    with _importing():
        sandbox = choose(sandbox_name) if sandbox_name else for_check()
        # Three processes get ready, where two processors are usual: the reader first, as it may end it all.
        sandbox.warm_reader()
        importlib.import_module("harness.assignment.loading")  # takes us as long as the reader needs
        sandbox.warm()
        assignment, plugins = load_assignment(name, data)
    return Checking(path, assignment, plugins, sandbox)


@contextmanager
def _importing() -> Iterator[None]:
    """No garbage is looked for meanwhile: what imports make stays, and looking through it takes a tenth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@dataclass(frozen=True)
class Out:
    """Where results go: the terminal, a page, JSON."""

    html: Path | None
    json_to: str | None
    quiet: bool
    github: bool = False

    def say(self, checking: Checking, result: Result) -> None:
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

            tell_github(report, assignment)

    def _print(self, checked: Checked) -> None:
        from harness.terminal.check import check_view
        from harness.terminal.console import console

        console(stderr=self.json_to == "-", quiet=self.quiet).print(check_view(checked))

    def _page(self, attempt: Attempt, assignment: Assignment, limits: Mapping[str, float]) -> None:
        if self.html is None:
            return
        from harness.web.checked_result import own_page

        write_text(self.html, own_page(attempt, assignment, limits))
        if not self.quiet:
            click.echo(f"wrote {self.html}", err=True)


def passed(result: Result) -> bool:
    """Whether everything that is checked was found to be right."""
    return result.status == "graded" and all(check.verdict == "passed" for check in result.checks)
