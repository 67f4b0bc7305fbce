"""`harness leaderboard`: rank what the store holds; nothing is graded again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import (
    assignment_argument,
    complete_plugins,
    data_option,
    deliver,
    load_assignment,
    manual_option,
    out_option,
    plugins_print_to_stderr,
    roster_option,
    say_all,
    store_option,
    times_option,
)
from harness.cli.site_folder import replace_site
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.assignment.loading import Assignment
    from harness.board.matching import RosterFile
    from harness.board.record import BoardRequest, ClassRecord
    from harness.contracts.publishing import SiteWriter
    from harness.plugins import Plugins
    from harness.store.store import Store
    from harness.values.board import Board
    from harness.values.report import ReportView
    from harness.values.results import Attempt

_MAX_PAGES = 2000


@click.command()
@assignment_argument
@store_option
@click.option(
    "--format",
    "format_name",
    default="table",
    show_default=True,
    metavar="NAME",
    shell_complete=complete_plugins("writers", "table"),
    help="table, or a writer: markdown, csv, json, html, … ('harness plugins' lists them).",
)
@out_option
@data_option
@click.option("--private", is_flag=True, help="Rank by the private images. A published board does so anyway.")
@click.option("--anonymous", is_flag=True, help="Pseudonyms instead of nicknames and ids; the same ones each time.")
@click.option("--ids", is_flag=True, help="For the instructor: ids, members, all points, and every reason in full.")
@click.option(
    "--pages/--no-pages",
    default=None,
    help="html: a page per submission, or the board alone.  [default: pages for up to 2,000 submissions]",
)
@manual_option
@roster_option
@times_option
def command(
    *,
    assignment_name: str,
    store_url: str,
    format_name: str,
    out: Path | None,
    data: dict[str, Path],
    private: bool,
    anonymous: bool,
    ids: bool,
    pages: bool | None,
    manual: Path | None,
    roster: RosterFile | None,
    times: Path | None,
) -> None:
    """Rank what was graded.

    Works from the store alone. Where students gave nicknames, those stand for them. Results of another version of the
    assignment, or on other data, are listed without a rank. Without --ids the board is fit to be shown to the class.
    """
    from harness.board.record import BoardRequest, class_record
    from harness.board.visibility import for_class
    from harness.contracts.publishing import SiteWriter
    from harness.plugins.faults import blaming
    from harness.plugins.files import expect_files
    from harness.plugins.kinds import WRITER
    from harness.store.store import Store

    assignment, plugins = load_assignment(assignment_name, data, needs_data=False)
    if format_name != "table" and format_name not in plugins.writers:
        known = ["table", *plugins.writers]
        raise UsageError(f"--format {format_name}: no such format{plugins.missing(format_name, known)}")
    writer = plugins.writers.get(format_name)
    with closing(Store.open(store_url, create=False)) as store:
        detailed = isinstance(writer, SiteWriter) and _pages_for(len(store.submissions(assignment.id)), pages)
        wanted = BoardRequest(
            private=private,
            anonymous=anonymous,
            manual=manual,
            roster=roster,
            times=times,
            details=detailed,
        )
        record = class_record(store, assignment, wanted)
        past = _past(store, assignment, record) if detailed else {}
    say_all(record.said)
    board = record.board
    shown = board if ids else for_class(board, assignment.measures)
    if writer is None:
        deliver(_table(shown, out), out)
    elif isinstance(writer, SiteWriter):
        reports = _reports(record, past, shown, assignment, plugins, everything=ids) if detailed else {}
        with plugins_print_to_stderr():
            _deliver_site(_pages(writer, shown, reports), out)
    else:
        with plugins_print_to_stderr(), blaming(WRITER, writer, "render"):
            files = writer.render(shown)
        deliver(expect_files(WRITER, writer, "render", files), out)


def _deliver_site(files: Iterable[tuple[str, str]], out: Path | None) -> None:
    if out is None:
        raise UsageError("this format makes several files: name a folder with --out")
    count = replace_site(files, out)
    click.echo(f"wrote {count:,} {'file' if count == 1 else 'files'} to {out}", err=True)


def class_site(
    store: Store, assignment: Assignment, plugins: Plugins, wanted: BoardRequest
) -> Iterable[tuple[str, str]]:
    """(path, text) of the files of the site that the class may see, as `--format html` makes it.

    Raises:
        UsageError: the writer of sites could not be loaded, or was disabled.
        PluginError: it failed.
    """
    from harness.board.record import class_record
    from harness.board.visibility import for_class

    writer = site_writer(plugins)
    detailed = len(store.submissions(assignment.id)) <= _MAX_PAGES
    record = class_record(store, assignment, replace(wanted, details=detailed))
    shown = for_class(record.board, assignment.measures)
    past = _past(store, assignment, record) if detailed else {}
    reports = _reports(record, past, shown, assignment, plugins, everything=False) if detailed else {}
    return _pages(writer, shown, reports)


def site_writer(plugins: Plugins) -> SiteWriter:
    """The one that makes the class's site.

    Raises:
        UsageError: it could not be loaded, or was disabled.
    """
    from harness.contracts.publishing import SiteWriter

    writer = plugins.writers.get("html")
    if not isinstance(writer, SiteWriter):
        known = plugins.missing("html", sorted(plugins.writers))
        raise UsageError(f"--site: there is no writer 'html' of sites{known}")
    return writer


def _pages(writer: SiteWriter, board: Board, reports: Mapping[str, ReportView]) -> Iterator[tuple[str, str]]:
    """(path, text) of what it makes, one by one.

    Raises:
        PluginError: it fails on the way, or makes something else.
    """
    from harness.plugins.faults import blaming, broken
    from harness.plugins.files import expect_file
    from harness.plugins.kinds import WRITER

    with blaming(WRITER, writer, "render_site"):
        made = False
        for page in writer.render_site(board, reports):
            yield expect_file(WRITER, writer, "render_site", page)
            made = True
        if not made:
            raise broken(WRITER, writer, "render_site() gave no file; the first one is the board")


def _pages_for(submissions: int, asked: bool | None) -> bool:
    """Whether every submission gets a page: those of 10,000 would be 350 MB, and nobody's class."""
    if asked is not None:
        return asked
    if submissions > _MAX_PAGES:
        click.echo(f"the board alone: {submissions:,} submissions; --pages makes a page for each", err=True)
    return submissions <= _MAX_PAGES


def _past(store: Store, assignment: Assignment, record: ClassRecord) -> Mapping[str, Sequence[Attempt]]:
    """What everyone handed in, as far as the board goes."""
    from harness.board.record import histories

    inputs = record.inputs
    return histories(store, assignment, inputs.times.groups, until=inputs.frozen_at)


def _reports(
    record: ClassRecord,
    past: Mapping[str, Sequence[Attempt]],
    shown: Board,
    assignment: Assignment,
    plugins: Plugins,
    *,
    everything: bool,
) -> dict[str, ReportView]:
    """The report of every row by its name on the board: for the class, or `everything` for the instructor."""
    from harness.assignment.loading import metric_limits
    from harness.report.view import class_report, report

    limits, published = metric_limits(assignment, plugins), shown.private
    names = {row.submission: row.name for row in record.board.entries}
    rows = {row.name: row for row in shown.entries}
    groups, reports = record.inputs.times.groups, {}
    for attempt in record.attempts:
        submission = attempt.result.submission
        name, theirs = names[submission], past.get(groups.get(submission, submission), ())
        told = partial(report, audience="instructor") if everything else partial(class_report, name=name)
        reports[name] = told(attempt, assignment, entry=rows[name], attempts=theirs, limits=limits, published=published)
    return reports


def _table(board: Board, out: Path | None) -> dict[str, str]:
    """The rich table; printed at once when it goes to the terminal, which knows its own width and colours."""
    from harness.terminal.console import board_table, console

    if out is None:
        console().print(board_table(board))
        return {}
    paper = console()
    with paper.capture() as captured:
        paper.print(board_table(board), no_wrap=False, style=None)
    return {"leaderboard.txt": click.unstyle(captured.get())}
