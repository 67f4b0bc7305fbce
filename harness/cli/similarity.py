"""`harness similarity`: compare the submissions of a class with each other; nothing is graded again."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
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
    from harness.grading.class_evaluation import ClassReport
    from harness.values.class_comparison import ClassComparison, Finding


@click.command()
@assignment_argument
@store_option
@json_option
def command(*, assignment_name: str, store_url: str, json_to: str | None) -> None:
    """Compare the submissions of a class with each other, for the instructor.

    Works from the weights that 'harness grade' kept because the assignment has [class_evaluators.…]. What it lists is
    evidence for a person: it costs no points and proves nothing. Exits with 0 whatever it finds.
    """
    from harness.grading.class_evaluation import compare
    from harness.store.store import Store

    assignment, plugins = load_assignment(assignment_name, {}, needs_data=False)
    with closing(Store.open(store_url, create=False)) as store:
        attempts, weights = store.latest(assignment.id, depth="everything"), store.weights(assignment.id)
        with plugins_print_to_stderr():
            report = compare(assignment, plugins, attempts, weights)
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
            paper.print(safe(f"- not compared, no weights kept: {', '.join(report.not_kept)}"))
        if comparison.findings:
            paper.print()
            paper.print(_table(comparison))
        for number, finding in enumerate(comparison.findings, start=1):
            paper.print()
            paper.print(safe(f"{number}  {finding.paragraph}", limit_characters=2000))
        if not comparison.findings:
            paper.print("Nothing stands out.")


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
