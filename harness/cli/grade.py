"""`harness grade`: grade submissions in a sandbox and keep every result as soon as it is finished."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import click

from harness.cli.options import (
    assignment_argument,
    complete_plugins,
    data_option,
    json_option,
    load_assignment,
    plugins_print_to_stderr,
    quiet_option,
    roster_option,
    say_all,
    store_option,
    times_option,
    write_json,
)
from harness.errors import UsageError
from harness.grading.events import GradingEvents, Progress
from harness.vocabulary import DEVICES, SANDBOXES, DeviceName, ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.assignment.loading import Assignment
    from harness.board.matching import Accounts, RosterFile
    from harness.board.record import ClassRecord
    from harness.contracts.executors import Crew, Executor
    from harness.grading.run import Run
    from harness.plugins import Plugins
    from harness.submission.hand_in import Found
    from harness.terminal.progress import GradeProgress
    from harness.values.results import Result

    Mode = Literal["auto", "class", "single"]


@click.command()
@assignment_argument
@click.argument("paths", metavar="SUBMISSION_OR_FOLDER...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Submissions graded at once, on as many processors.  [default: usable CPUs]",
)
@store_option
@click.option(
    "--executor",
    default="local",
    show_default=True,
    shell_complete=complete_plugins("executors", "local"),
    help="Where verified networks are measured: local, dask.",
)
@click.option("--scheduler", metavar="ADDRESS", help="Of a Dask cluster, tcp://HOST:PORT.  [default: one is started]")
@click.option("--device", type=click.Choice(DEVICES), default="cpu", show_default=True, help="For verified networks.")
@click.option("--sandbox", "sandbox_name", type=click.Choice(SANDBOXES), default="auto", show_default=True)
@roster_option
@times_option
@quiet_option
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
    roster: RosterFile | None,
    times: Path | None,
    quiet: bool,
    json_to: str | None,
    data: dict[str, Path],
    mode: str | None,
    fresh: bool,
) -> None:
    """Grade submissions in a sandbox and keep every result.

    A PATH is one submission, a folder of them, or a bulk download of Canvas, Moodle or Gradescope. Each result is kept
    as soon as it is finished; the same command again grades only what is new or has changed. Exits with 1 when a
    submission could not be graded for the harness's own fault, or because nobody can tell whose it is: a student's
    failure is a result.
    """
    from harness.board.record import BoardRequest, class_record
    from harness.data.data_sets import DataSets
    from harness.grading.environment import environment
    from harness.grading.run import Run
    from harness.parallel import usable_cpus
    from harness.sandbox import choose
    from harness.store.store import Store
    from harness.submission.discovery import find

    if device != "cpu" and executor != "local":
        raise UsageError(f"--device {device}: the grader's own GPU, which --executor {executor} would not use")
    assignment, plugins = load_assignment(assignment_name, data)
    sandbox = choose(sandbox_name)
    found = find(paths, mode=cast("Mode", mode or "auto"))
    submissions = found.hand_ins
    if not submissions:
        raise UsageError("\n".join(found.left_out) or f"no submissions in {', '.join(map(str, paths))}")
    if not quiet:
        _say_what_is_a_download(found)
    _list(found.left_out, f"{len(found.left_out)} not graded")
    with closing(Store.open(store_url)) as store:
        handed_in = frozenset(each.id for each in submissions)
        before = dict.fromkeys(store.submissions(assignment.id), ())
        _check_tables(assignment, roster, times, before | {each.id: each.accounts for each in submissions})
        images = DataSets(assignment, plugins, "instructor")
        kept_as = environment(sandbox.name, device)
        jobs = jobs or usable_cpus()
        hired = partial(_hired, _called(executor, plugins), jobs, scheduler)
        run = Run(assignment, plugins, sandbox, submissions, images, store, kept_as, jobs, hired)
        shown = _Shown()
        with plugins_print_to_stderr():
            interrupted = _graded(run, shown, fresh=fresh, quiet=quiet)
            attempts = run.attempts("brief" if json_to is None else "everything")
        wanted = BoardRequest(live=True, roster=roster, times=times, handed_in=handed_in)
        record = class_record(store, assignment, wanted) if attempts else None
    results = tuple(attempt.result for attempt in attempts)
    _show(run, record, results, json_to, quiet=quiet)
    if shown.unreachable:
        said = f"{len(shown.unreachable)} networks were to be measured by {executor} and were measured here"
        click.echo(f"{said}: {shown.unreachable[-1]}", err=True)
    if interrupted:
        _say_what_is_left(f"{len(results)} of {len(submissions)} are graded and kept in {store.url}", fresh=fresh)
        raise click.exceptions.Exit(ExitCode.INTERRUPTED)
    if record is not None:
        say_all(record.said)
        _say_what_needs_a_decision(record, assignment.id)
    ours = [f"{each.submission}: {each.reason}" for each in results if each.status == "harness_error"]
    _list(ours, f"{len(ours)} not graded, through no fault of the student")
    raise click.exceptions.Exit(ExitCode.NOT_PASSED if ours or found.left_out else ExitCode.DONE)


def _check_tables(
    assignment: Assignment, roster: RosterFile | None, times: Path | None, known: Mapping[str, Accounts]
) -> None:
    """What is wrong with a table is better known before a class is graded than afterwards."""
    from harness.board.matching import fitted_roster
    from harness.board.times import read_times

    groups = fitted_roster(roster, known)[0].groups if roster else {}
    if times is not None:
        read_times(times, assignment.rules.rubric.late, known.keys(), groups)


def _show(
    run: Run, record: ClassRecord | None, results: tuple[Result, ...], json_to: str | None, *, quiet: bool
) -> None:
    from harness.terminal.console import board_table, console
    from harness.values.results import Report

    if record is not None:
        board = record.board.only({result.submission for result in results})
        console(stderr=json_to == "-", quiet=quiet).print(board_table(board))
    report = Report(assignment=run.info, environment=run.environment, results=results)
    write_json(json_to, report.to_json())
    if not quiet:
        _say_what_was_known(run)


def _say_what_is_a_download(found: Found) -> None:
    """What was read of it; a download is the only path of its command."""
    path = next((each.path for each in found.hand_ins if each.parts is not None), None)
    if path is None:
        return
    counts = ", ".join(
        f"{count:,} {what if count != 1 else what.removesuffix('s')}"
        for count, what in ((found.people, "students"), (found.files, "files"))
    )
    said = f"{path}: a bulk download with {counts}, {len(found.unmatched)} unmatched (--single: it is one submission)"
    click.echo(said, err=True)
    _list(found.unmatched, "Nobody's by their names; what looks like a hand-in is graded under its own name")


def _say_what_was_known(run: Run) -> None:
    if run.reused:
        measured, reused = (_listed(each) for each in (run.measured, run.reused))
        click.echo(f"Measured: {measured or 'nothing'}; known from before: {reused}.", err=True)
    if run.unchanged:
        click.echo(f"{len(run.unchanged)} unchanged since they were graded; --fresh measures them again.", err=True)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _say_what_needs_a_decision(record: ClassRecord, assignment_id: str) -> None:
    from harness.points.rubric import undecided

    pending = {row.submission for row in (*record.board.standings, *record.board.unranked) if row.pending}
    waiting = [
        f"{each.result.submission}: {check.name}: {check.reason}"
        for each in record.attempts
        if each.result.submission in pending
        for check in undecided(record.rules, each.result.checks)
    ]
    count = f"{len(pending)} submission{'' if len(pending) == 1 else 's'}"
    needs = "needs a decision" if len(pending) == 1 else "need a decision"
    advice = f"harness override {assignment_id} SUBMISSION --check NAME=passed (or =failed) --reason WHY"
    if waiting:
        _list(waiting, f"{count} {needs}; points are pending until then ({advice})")


def _list(sentences: Sequence[str], heading: str) -> None:
    """Say them one below the other, if there are any; they may quote what students wrote."""
    from harness.text import clean

    if sentences:
        click.echo("\n".join([f"{heading}:", *(f"  {clean(each, 1000)}" for each in sentences)]), err=True)


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
    if name not in plugins.executors:
        raise UsageError(f"--executor {name}: no such executor{plugins.missing(name, sorted(plugins.executors))}")
    return plugins.executors[name]


@contextmanager
def _hired(executor: Executor, jobs: int, scheduler: str | None) -> Iterator[Crew | None]:
    from harness.plugins.faults import blaming
    from harness.plugins.kinds import EXECUTOR

    hired = ExitStack()
    with blaming(EXECUTOR, executor, "crew"):
        crew = hired.enter_context(executor.crew(jobs=jobs, scheduler=scheduler))
    try:
        yield crew
    finally:
        with blaming(EXECUTOR, executor, "crew"):
            hired.close()


def _graded(run: Run, shown: _Shown, *, fresh: bool, quiet: bool) -> bool:
    """Grade with a bar that shows how far it is; returns whether it was stopped with Ctrl-C."""
    from harness.terminal.console import console
    from harness.terminal.progress import GradeProgress

    with GradeProgress(console(stderr=True, quiet=quiet), len(run.submissions)) as bar:
        shown.bar = bar
        try:
            with closing(run.grade(shown, fresh=fresh)) as results:
                for result in results:
                    bar.finished(result)
        except KeyboardInterrupt:
            return True
    return False
