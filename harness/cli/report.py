"""`harness report`: all that the store knows of one submission."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from harness.cli.options import assignment_argument, load_assignment, out_option, store_option, write_text
from harness.errors import UsageError
from harness.plugins import suggestion

FORMATS = ("terminal", "markdown", "json")


@click.command()
@assignment_argument
@click.argument("submission", metavar="SUBMISSION_ID")
@store_option
@click.option("--format", "format_name", default="terminal", show_default=True, metavar="|".join(FORMATS))
@out_option
@click.option("--printed", is_flag=True, help="For the instructor: also what its code printed.")
def command(
    *, assignment_name: str, submission: str, store_url: str, format_name: str, out: Path | None, printed: bool
) -> None:
    """Show all that is known of one submission, from its newest attempt."""
    from harness.cli.display import console, report_view
    from harness.report import markdown
    from harness.results import Report
    from harness.store import Store

    if format_name not in FORMATS:
        what = "HTML reports do not exist yet" if format_name == "html" else "no such format"
        raise UsageError(f"--format {format_name}: {what} (known: {', '.join(FORMATS)})")
    assignment, _ = load_assignment(assignment_name, {}, needs_data=False)
    with closing(Store.open(store_url, create=False)) as store:
        attempts = store.history(assignment.id, submission)
        if not attempts:
            hint = suggestion(submission, store.submissions(assignment.id))
            raise UsageError(f"{store.url} holds no results of {submission!r} for {assignment.id}{hint}")
    attempt = attempts[-1]
    if format_name == "terminal":
        view = report_view(attempt, len(attempts), assignment.rules, printed=printed)
        paper = console()
        if out is None:
            paper.print(view)
            return
        with paper.capture() as captured:
            paper.print(view)
        text = click.unstyle(captured.get())
    elif format_name == "markdown":
        text = markdown(attempt, assignment.rules, printed=printed)
    else:
        result = attempt.result if printed else attempt.result.model_copy(update={"printed": ""})
        report = Report(assignment=attempt.assignment, environment=attempt.environment, results=(result,))
        text = report.to_json() + "\n"
    if out is None:
        click.echo(text, nl=False)
    else:
        write_text(out, text)
