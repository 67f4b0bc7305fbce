"""`harness similarity`: compare the submissions of a class with each other; nothing is graded again."""

from __future__ import annotations

from contextlib import closing
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from harness.cli.options import (
    assignment_argument,
    deliver,
    json_option,
    load_assignment,
    out_option,
    plugins_print_to_stderr,
    store_option,
    write_json,
)
from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from harness.values.class_comparison import ClassComparison, ClassReport, Finding, Passage

Format = Literal["terminal", "html"]
FORMATS: tuple[Format, ...] = ("terminal", "html")
_MOST_INDENT = 16


@click.command()
@assignment_argument
@store_option
@click.option(
    "--starter",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A source that everybody was given, beside those the assignment names. Repeatable.",
)
@click.option("--format", "format_name", type=click.Choice(FORMATS), default="terminal", show_default=True)
@out_option
@json_option
def command(
    *,
    assignment_name: str,
    store_url: str,
    json_to: str | None,
    starter: tuple[Path, ...],
    format_name: Format,
    out: Path | None,
) -> None:
    """Compare the submissions of a class with each other, for the instructor.

    Works from the weights and sources that 'harness grade' kept because the assignment has [class_evaluators.…]. What
    it lists is evidence for a person: it costs no points and proves nothing. `html` is a page with a graph of who is
    like whom. Exits with 0 whatever it finds.
    """
    from harness.grading.class_evaluation import compare
    from harness.store.store import Store

    assignment, plugins = load_assignment(assignment_name, {}, needs_data=False)
    with closing(Store.open(store_url, create=False)) as store:
        attempts = store.latest(assignment.id, depth="everything")
        with plugins_print_to_stderr():
            report = compare(
                assignment,
                plugins,
                attempts,
                weights=store.weights(assignment.id),
                sources=store.sources(assignment.id),
                starter=starter,
            )
    if format_name == "html":
        from harness.web.similarity import similarity_page

        if out is None and json_to == "-":
            raise UsageError("--format html and --json - both write to stdout: name a file with --out")
        deliver({"similarity.html": similarity_page(report, assignment.rules.title)}, out)
    elif json_to != "-":
        _show(report)
    write_json(json_to, report.to_json())


def _show(report: ClassReport) -> None:
    from harness.terminal.console import console, safe

    paper = console()
    for name, comparison in report.comparisons.items():
        paper.print(safe(f"{report.assignment.id} · {name}", "bold"))
        for note in comparison.notes:
            paper.print(safe(f"- {note}"))
        for remark in report.remarks:
            paper.print(safe(f"- {remark}"))
        if comparison.findings:
            paper.print()
            paper.print(_table(comparison))
        for number, finding in enumerate(comparison.findings, start=1):
            paper.print()
            paper.print(safe(f"{number}  {finding.paragraph}", limit_characters=3000))
            for passage in finding.passages:
                paper.print()
                paper.print(_side_by_side(finding, passage))
        if not comparison.findings:
            paper.print("Nothing stands out.")


def _side_by_side(finding: Finding, passage: Passage) -> object:
    """A passage in both submissions, each line as far as it fits."""
    from rich.table import Table

    from harness.terminal.console import safe

    table = Table(box=None, padding=(0, 2, 0, 0), expand=True)
    for name, place in zip(finding.submissions, (passage.one, passage.other), strict=True):
        lines = f"{place.first_line}-{place.last_line}"
        table.add_column(safe(f"{name}: {place.file} {lines}", "bold"), ratio=1, no_wrap=True, overflow="ellipsis")
    both = (passage.one.text.split("\n"), passage.other.text.split("\n"))
    for one, other in zip_longest(*both, fillvalue=""):
        table.add_row(*map(_code_line, (one, other)))
    return table


def _code_line(line: str) -> Text:
    """With its indentation, which cleaning takes away."""
    from rich.text import Text

    from harness.terminal.console import safe

    code = line.expandtabs(4)
    return Text(" " * min(len(code) - len(code.lstrip()), _MOST_INDENT)).append_text(safe(code))


def _table(comparison: ClassComparison) -> object:
    from harness.terminal.console import safe
    from harness.terminal.fitting import TurningTable

    columns = comparison.figures
    rows: list[Sequence[str | Text]] = [
        (str(number), safe(", ".join(finding.submissions)), *map(safe, finding.cells(columns)))
        for number, finding in enumerate(comparison.findings, start=1)
    ]
    return TurningTable(("", "submissions", *columns), rows, heading=2)
