"""`harness similarity`: compare the submissions of a class with each other; nothing is graded again."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import (
    assignment_argument,
    json_option,
    load_assignment,
    plugins_print_to_stderr,
    store_option,
    write_json,
)

if TYPE_CHECKING:
    from rich.text import Text

    from harness.grading.class_evaluation import ClassReport
    from harness.values.class_comparison import ClassComparison, Finding, Passage

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
@json_option
def command(*, assignment_name: str, store_url: str, json_to: str | None, starter: tuple[Path, ...]) -> None:
    """Compare the submissions of a class with each other, for the instructor.

    Works from the weights and sources that 'harness grade' kept because the assignment has [class_evaluators.…]. What
    it lists is evidence for a person: it costs no points and proves nothing. Exits with 0 whatever it finds.
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
    if json_to != "-":
        _show(report)
    write_json(json_to, report.to_json())


def _show(report: ClassReport) -> None:
    from harness.terminal.console import console, safe

    paper = console()
    for name, comparison in report.comparisons.items():
        paper.print(safe(f"{report.assignment.id} · {name}", "bold"))
        for note in comparison.notes:
            paper.print(safe(f"- {note}"))
        if report.not_kept:
            paper.print(safe(f"- weights not compared, none kept: {', '.join(report.not_kept)}"))
        if report.sources_not_kept:
            paper.print(safe(f"- sources not compared, none kept: {', '.join(report.sources_not_kept)}"))
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
    from harness.terminal.console import safe, simple_table

    columns = list(dict.fromkeys(name for finding in comparison.findings for name in finding.evidence))
    table = simple_table("", "submissions", *columns)
    for number, finding in enumerate(comparison.findings, start=1):
        table.add_row(str(number), safe(", ".join(finding.submissions)), *map(safe, _cells(finding, columns)))
    return table


def _cells(finding: Finding, columns: Sequence[str]) -> list[str]:
    values = (finding.evidence.get(name, "") for name in columns)
    return [value if isinstance(value, str) else f"{value:.3f}" for value in values]
