"""Write a submission's report as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from harness.charts.axis import axes_of, title_of
from harness.report.view import STAND_IN, VERDICT_SYMBOLS, network_line, outcome, standing
from harness.text import (
    cell_text,
    clean_lines,
    figure_text,
    interval_text,
    markdown_cell,
    points_text,
    score_text,
    shape_text,
    whole_text,
)
from harness.values.curves import Curve
from harness.values.measures import Check
from harness.values.moments import moment_text
from harness.values.report import ReportView
from harness.vocabulary import describe_status

_NETWORK_CHARACTERS = 4000
_INSTRUCTOR = "(for the instructor)"


def markdown(view: ReportView) -> str:
    """The whole report; every text of students is one line without markup."""
    result = view.result
    place = f"attempt {view.attempt} of {len(view.history)}"
    parts = [
        f"# {markdown_cell(view.name)}",
        f"{markdown_cell(view.title)} · {place}, graded {moment_text(view.graded_at)}",
        f"**{whole_text(view.score, view.possible, view.pending)} points** · {markdown_cell(outcome(result))}",
    ]
    if result.members:
        parts.append(f"by {markdown_cell(', '.join(result.members))}")
    if result.hint:
        parts.append(f"Next: {markdown_cell(result.hint)}")
    if network := network_line(result, flagged=view.flagged):
        parts.append(markdown_cell(network, _NETWORK_CHARACTERS))
    if view.override:
        parts.append(f"> {markdown_cell(view.override.said)}")
    if view.board_name:
        parts.append(f"On the board: {markdown_cell(view.board_name)}")
    parts += [f"> {markdown_cell(each)}" for each in view.decisions]
    if view.assignment.data.stand_in:
        parts.append(f"> {STAND_IN}")
    parts += [*_figures(view), *_history(view), *_network(view)]
    if result.notes:
        parts += ["## Notes", "\n".join(f"- {markdown_cell(note)}" for note in result.notes)]
    parts += _section("How it was graded", ("", ""), view.circumstances)
    if result.printed:
        # Indented, not fenced: no text of theirs can end an indented block.
        lines = "\n".join(f"    {line}" for line in clean_lines(result.printed))
        parts += [f"## What its code printed {_INSTRUCTOR}", lines]
    if view.withheld:
        parts.append(f"*For the instructor only: {', '.join(view.withheld)}.*")
    return "\n\n".join(parts) + "\n"


def _figures(view: ReportView) -> list[str]:
    result = view.result
    checks = [
        (VERDICT_SYMBOLS[each.verdict], _check_name(each, view), each.reason, each.hint or "") for each in result.checks
    ]
    metrics = [
        (each.title, figure_text(each.metric, each.title), interval_text(each.metric), standing(each))
        for each in view.metrics
    ]
    points = [(line.name, points_text(line.points, line.max_points), line.reason) for line in view.points]
    return [
        *_section("Checks", ("", "check", "reason", "hint"), checks),
        *_section("Metrics", ("metric", "value", "95 % interval", "limits and baselines"), metrics),
        *_section("Points", ("for", "points", "reason"), points),
    ]


def _history(view: ReportView) -> list[str]:
    if len(view.history) == 1:
        return []
    rows = [
        (
            str(place),
            moment_text(each.graded_at),
            describe_status(each.status),
            score_text(each.score, each.max_score, each.pending),
            "counts" if each.counts else "",
        )
        for place, each in enumerate(view.history, start=1)
    ]
    return _section("Attempts", ("attempt", "graded", "status", "automatic points", ""), rows)


def _check_name(check: Check, view: ReportView) -> str:
    return f"{check.name} {_INSTRUCTOR}" if check.name in view.evidence else check.name


def _network(view: ReportView) -> list[str]:
    curves = [row for curve in view.result.curves for row in _points(curve)]
    tables = [
        part
        for table in view.result.tables
        for part in _section(
            table.name.capitalize(),
            ("", *table.columns),
            [(row.label, *map(cell_text, row.cells, table.columns)) for row in table.rows],
        )
    ]
    layers = [(each.name, each.kind, shape_text(each.output), f"{each.parameters:,}") for each in view.result.layers]
    return [
        *_section("Curves", ("curve", "series", "x", "y", "95 % interval"), curves),
        *tables,
        *_section("Layers, as torchinfo tells them", ("layer", "class", "output", "parameters"), layers),
    ]


def _points(curve: Curve) -> list[tuple[str, ...]]:
    across, up = axes_of(curve)
    return [
        (title_of(curve), series.label, across.number(x), up.number(y), up.interval(series, index))
        for series in curve.series
        for index, (x, y) in enumerate(series.points)
    ]


def _section(title: str, headers: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    return [f"## {title}", *table] if (table := markdown_table(headers, rows)) else []


def markdown_table(headers: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """One part of a document, with every cell a line without markup; none without rows."""
    from tabulate import tabulate

    cells = [[markdown_cell(cell) for cell in row] for row in rows]
    return [tabulate(cells, headers, tablefmt="github", disable_numparse=True)] if rows else []
