"""`harness report`: show all that the store knows of one submission."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from harness.cli.options import (
    assignment_argument,
    composed,
    deliver,
    deliver_site,
    load_assignment,
    manual_option,
    out_option,
    roster_option,
    store_option,
    times_option,
    write_text,
)
from harness.errors import UsageError
from harness.text import clean

if TYPE_CHECKING:
    from harness.board.matching import RosterFile
    from harness.cli.telling import Telling
    from harness.values.base import Audience
    from harness.values.report import ReportView

Format = Literal["terminal", "markdown", "html", "json", "svg"]
FORMATS: tuple[Format, ...] = ("terminal", "markdown", "html", "json", "svg")


@click.command()
@assignment_argument
@click.argument("submission", metavar="[SUBMISSION_ID]", required=False, callback=composed)
@store_option
@click.option("--format", "format_name", type=click.Choice(FORMATS), default="terminal", show_default=True)
@click.option(
    "--audience",
    type=click.Choice(["student", "instructor"]),
    default="student",
    show_default=True,
    help="The instructor's version also has private figures, evidence, failure messages and printed output.",
)
@click.option("--all", "everyone", is_flag=True, help="The reports of all on the board, into the folder --out.")
@click.option("--anonymous", is_flag=True, help="Tell the pseudonym, where the board was made with --anonymous.")
@manual_option
@roster_option
@times_option
@out_option
def command(
    *,
    assignment_name: str,
    submission: str | None,
    store_url: str,
    format_name: Format,
    audience: Audience,
    everyone: bool,
    anonymous: bool,
    manual: Path | None,
    roster: RosterFile | None,
    times: Path | None,
    out: Path | None,
) -> None:
    """Show all that is known of one submission, from the attempt that counts; `svg` draws its curves.

    SUBMISSION_ID may also be what the board calls it. Points are those of the board: automatic, by rank, by hand, less
    what lateness costs, each with its reason. --all writes html or markdown for everyone, with an index and a table
    reports.csv (name, email, file) for a mail merge.
    """
    from harness.board.record import BoardRequest
    from harness.board.whom import whom
    from harness.cli.telling import Telling
    from harness.store.store import Store

    if everyone == (submission is not None):
        raise UsageError("name one submission, or --all for everyone on the board")
    assignment, plugins = load_assignment(assignment_name, {}, needs_data=False)
    wanted = BoardRequest(anonymous=anonymous, manual=manual, roster=roster, times=times, details=everyone)
    with closing(Store.open(store_url, create=False)) as store:
        telling = Telling.of(store, assignment, plugins, wanted, audience)
        if submission is None:
            _deliver_all(telling, format_name, out)
            return
        view = telling.one(whom(store, assignment.id, submission))
    if format_name == "terminal":
        _print(view, out)
        return
    if format_name == "svg":
        _draw(view, out)
        return
    text = _text(view, format_name)
    if out is None:
        click.echo(text, nl=False)
    else:
        write_text(out, text)


def _deliver_all(telling: Telling, format_name: Format, out: Path | None) -> None:
    from harness.web.folder import report_files

    if format_name not in {"html", "markdown"}:
        raise UsageError("--all: name --format html or --format markdown")
    files = report_files(telling.everyone(), "html" if format_name == "html" else "markdown", telling.title)
    deliver_site(files, out)


def _print(view: ReportView, out: Path | None) -> None:
    """To the terminal, which knows its own width and colours, or without them to a file."""
    from harness.terminal.console import console
    from harness.terminal.report import report_view

    paper = console()
    if out is None:
        paper.print(report_view(view))
        return
    with paper.capture() as captured:
        paper.print(report_view(view))
    write_text(out, click.unstyle(captured.get()))


def _draw(view: ReportView, out: Path | None) -> None:
    """A file per curve into a folder; a single one also to the terminal or to the file that `out` names.

    Raises:
        UsageError: there is none to draw, or one file is named for several.
    """
    from harness.charts.svg_file import svg_file

    name, curves = view.result.submission, view.result.curves
    if not curves and view.withheld:
        raise UsageError(f"{name}: no curve is shown to students; with --audience instructor: all that were measured")
    if not curves:
        raise UsageError(f"{name}: the assignment measured no curves")
    if len(curves) > 1 and out is not None and out.suffix == ".svg":
        named = ", ".join(clean(each.name) for each in curves)
        raise UsageError(f"{out} is one file, and there are {len(curves)} curves ({named}): name a folder with --out")
    files = {f"{curve.name}.svg": svg_file(curve) for curve in curves}
    if out is None or out.suffix == ".svg":
        deliver(files, out)
    else:
        deliver_site(files.items(), out)


def _text(view: ReportView, format_name: Literal["markdown", "html", "json"]) -> str:
    match format_name:
        case "markdown":
            from harness.report.markdown import markdown

            return markdown(view)
        case "html":
            from harness.web import report_page

            return report_page(view)
        case "json":
            return view.to_json() + "\n"
