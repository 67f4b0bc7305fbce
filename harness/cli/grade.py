"""`harness grade`: grade submissions in a sandbox and keep every result as soon as it is finished."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import click

from harness.cli.options import (
    assignment_argument,
    data_option,
    json_option,
    load_assignment,
    store_option,
    write_json,
)
from harness.errors import UsageError
from harness.grading.events import GradingEvents, Progress
from harness.text import suggestion
from harness.vocabulary import DEVICES, SANDBOXES, DeviceName, ExitCode

if TYPE_CHECKING:
    from harness.contracts.executors import Executor
    from harness.grading.run import Run
    from harness.plugins import Plugins
    from harness.submission.hand_in import HandIn
    from harness.terminal.progress import GradeProgress

    Mode = Literal["auto", "class", "single"]


@click.command()
@assignment_argument
@click.argument("paths", metavar="SUBMISSION_OR_FOLDER...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--jobs", type=click.IntRange(min=1), help="Submissions graded at once.  [default: usable CPUs]")
@store_option
@click.option(
    "--executor", default="local", show_default=True, help="Where verified networks are measured: local, dask."
)
@click.option("--scheduler", metavar="ADDRESS", help="Of a Dask cluster, tcp://HOST:PORT.  [default: one is started]")
@click.option("--device", type=click.Choice(DEVICES), default="cpu", show_default=True, help="For verified networks.")
@click.option("--sandbox", "sandbox_name", type=click.Choice(SANDBOXES), default="auto", show_default=True)
@json_option
@data_option
@click.option("--class", "mode", flag_value="class", help="Every PATH is a folder of submissions.")
@click.option("--single", "mode", flag_value="single", help="Every PATH is one submission.")
@click.option("--fresh", "--regrade", is_flag=True, help="Run and measure everything again, whatever is known.")
def command(
    *,
    assignment_name: str,
    paths: tuple[Path, ...],
    jobs: int | None,
    store_url: str,
    executor: str,
    scheduler: str | None,
    device: DeviceName,
    sandbox_name: str,
    json_to: str | None,
    data: dict[str, Path],
    mode: str | None,
    fresh: bool,
) -> None:
    """Grade submissions in a sandbox and keep every result.

    A PATH is one submission, a folder of them, or a bulk download of Canvas, Moodle or Gradescope. Each result is kept
    as soon as it is finished; the same command again grades only what is new or has changed. Exits with 1 when a
    submission could not be graded for the harness's own fault: a student's failure is a result.
    """
    from harness.board.record import BoardRequest, class_record
    from harness.data.data_sets import DataSets
    from harness.grading.environment import environment
    from harness.grading.run import Run
    from harness.parallel import usable_cpus
    from harness.sandbox import choose
    from harness.store.store import Store
    from harness.submission.discovery import discover
    from harness.terminal.console import board_table, console
    from harness.values.results import Report

    if device != "cpu" and executor != "local":
        raise UsageError(f"--device {device}: the grader's own GPU, which --executor {executor} would not use")
    assignment, plugins = load_assignment(assignment_name, data)
    sandbox = choose(sandbox_name)
    submissions = discover(paths, mode=cast("Mode", mode or "auto"))
    if not submissions:
        raise UsageError(f"no submissions in {', '.join(map(str, paths))}")
    _say_what_is_a_download(submissions)
    with closing(Store.open(store_url)) as store:
        images = DataSets(assignment, plugins, "instructor")
        kept_as = environment(sandbox.name, device)
        jobs = jobs or usable_cpus()
        hired = partial(_called(executor, plugins).crew, jobs=jobs, scheduler=scheduler)
        run = Run(assignment, plugins, sandbox, submissions, images, store, kept_as, jobs, hired)
        shown = _Shown()
        interrupted = _graded(run, shown, fresh=fresh)
        attempts = run.attempts("brief" if json_to is None else "everything")
        board = class_record(store, assignment, BoardRequest(live=True)).board if attempts else None
    results = tuple(attempt.result for attempt in attempts)
    report = Report(assignment=run.info, environment=run.environment, results=results)
    if board is not None:
        console(stderr=json_to == "-").print(board_table(board.only({result.submission for result in results})))
    write_json(json_to, report.to_json())
    if run.unchanged:
        click.echo(f"{len(run.unchanged)} unchanged since they were graded; --fresh measures them again.", err=True)
    if shown.unreachable:
        said = f"{len(shown.unreachable)} networks were to be measured by {executor} and were measured here"
        click.echo(f"{said}: {shown.unreachable[-1]}", err=True)
    if interrupted:
        _say_what_is_left(f"{len(results)} of {len(submissions)} are graded and kept in {store.url}", fresh=fresh)
        raise click.exceptions.Exit(ExitCode.INTERRUPTED)
    ours = any(result.status == "harness_error" for result in results)
    raise click.exceptions.Exit(ExitCode.NOT_PASSED if ours else ExitCode.DONE)


def _say_what_is_a_download(submissions: list[HandIn]) -> None:
    for path in dict.fromkeys(each.path for each in submissions if each.parts is not None):
        count = sum(each.path == path for each in submissions)
        click.echo(f"{path}: a bulk download with {count} submissions (--single: it is one submission)", err=True)


def _say_what_is_left(kept: str, *, fresh: bool) -> None:
    again = "The same command without --fresh" if fresh else "The same command"
    click.echo(f"Stopped: {kept}. {again} grades the rest.", err=True)


@dataclass
class _Shown(GradingEvents):
    """Show on the bar what runs, and keep what is told later."""

    bar: GradeProgress | None = None
    unreachable: list[str] = field(default_factory=list)
    """Why networks were measured here that were to be measured elsewhere."""

    def on_progress(self, progress: Progress) -> None:
        """See `GradingEvents`."""
        if self.bar is not None:
            self.bar.advance(progress.submission, progress.stage)

    def on_unreachable(self, reason: str) -> None:
        """See `GradingEvents`."""
        self.unreachable.append(reason)


def _called(name: str, plugins: Plugins) -> Executor:
    known = plugins.executors
    if name not in known:
        known_names = f" (known: {', '.join(sorted(known))})"
        raise UsageError(f"--executor {name}: no such executor{suggestion(name, known)}{known_names}")
    return known[name]


def _graded(run: Run, shown: _Shown, *, fresh: bool) -> bool:
    """Grade with a bar that shows how far it is; returns whether it was stopped with Ctrl-C."""
    from harness.terminal.console import console
    from harness.terminal.progress import GradeProgress

    with GradeProgress(console(stderr=True), len(run.submissions)) as bar:
        shown.bar = bar
        try:
            with closing(run.grade(shown, fresh=fresh)) as results:
                for result in results:
                    bar.finished(result)
        except KeyboardInterrupt:
            return True
    return False
