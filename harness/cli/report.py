"""`harness report`: show all that the store knows of one submission."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from harness.cli.options import (
    assignment_argument,
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
from harness.text import suggestion

if TYPE_CHECKING:
    from harness.board.matching import RosterFile
    from harness.values.base import Audience
    from harness.values.report import ReportView

Format = Literal["terminal", "markdown", "html", "json", "svg"]
FORMATS: tuple[Format, ...] = ("terminal", "markdown", "html", "json", "svg")


@click.command()
@assignment_argument
@click.argument("submission", metavar="SUBMISSION_ID")
@store_option
@click.option("--format", "format_name", type=click.Choice(FORMATS), default="terminal", show_default=True)
@click.option(
    "--audience",
    type=click.Choice(["student", "instructor"]),
    default="student",
    show_default=True,
    help="The instructor's version also has private figures, evidence, failure messages and printed output.",
)
@manual_option
@roster_option
@times_option
@out_option
def command(
    *,
    assignment_name: str,
    submission: str,
    store_url: str,
    format_name: Format,
    audience: Audience,
    manual: Path | None,
    roster: RosterFile | None,
    times: Path | None,
    out: Path | None,
) -> None:
    """Show all that is known of one submission, from the attempt that counts; `svg` draws its curves.

    Points are those of the board: automatic, by rank, by hand, less what lateness costs, each with its reason.
    """
    from harness.assignment.loading import metric_limits
    from harness.board.judged import judged
    from harness.board.record import BoardRequest, class_record
    from harness.report.view import report
    from harness.store.store import Store

    assignment, plugins = load_assignment(assignment_name, {}, needs_data=False)
    with closing(Store.open(store_url, create=False)) as store:
        attempts = judged(store.history(assignment.id, submission), assignment)
        if not attempts:
            hint = suggestion(submission, store.submissions(assignment.id))
            raise UsageError(f"{store.url} holds no results of {submission!r} for {assignment.id}{hint}")
        record = class_record(store, assignment, BoardRequest(manual=manual, roster=roster, times=times))
    # Not everything has an attempt on the board: not what came after it was frozen, nor a team's earlier hand-ins.
    counting = {each.number for each in record.attempts}
    shown = record.decided(next((each for each in attempts if each.number in counting), attempts[-1]))
    view = report(
        shown,
        assignment,
        audience=audience,
        entry=record.board.entry(submission),
        place=[each.number for each in attempts].index(shown.number) + 1,
        limits=metric_limits(assignment, plugins),
        published=record.state.published,
    )
    if format_name == "terminal":
        _print(view, len(attempts), out)
        return
    if format_name == "svg":
        _draw(view, out)
        return
    text = _text(view, format_name)
    if out is None:
        click.echo(text, nl=False)
    else:
        write_text(out, text)


def _print(view: ReportView, attempts: int, out: Path | None) -> None:
    """To the terminal, which knows its own width and colours, or without them to a file."""
    from harness.terminal.console import console
    from harness.terminal.report import report_view

    paper = console()
    if out is None:
        paper.print(report_view(view, attempts))
        return
    with paper.capture() as captured:
        paper.print(report_view(view, attempts))
    write_text(out, click.unstyle(captured.get()))


def _draw(view: ReportView, out: Path | None) -> None:
    """A file per curve into a folder; a single one also to the terminal or to the file that `out` names."""
    from harness.charts.svg_file import svg_file

    if not view.result.curves:
        raise UsageError(f"{view.result.submission}: the assignment measured no curves")
    files = {f"{curve.name}.svg": svg_file(curve) for curve in view.result.curves}
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
