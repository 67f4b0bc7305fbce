"""Show one submission in the terminal: outcome, checks, metrics, points, curves, layers, notes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.report.view import (
    STAND_IN,
    VERDICT_SYMBOLS,
    network_line,
    outcome,
    standing,
)
from harness.terminal.check import COLOURS
from harness.terminal.console import plain_grid, safe, simple_table
from harness.terminal.curves import curve_view, table_view
from harness.text import clean_lines, figure_text, interval_text, points_text, score_text, shape_text, whole_text
from harness.values.measures import Check
from harness.values.moments import moment_text
from harness.values.networks import Layer
from harness.values.report import MetricLine, PastAttempt, ReportView
from harness.values.results import PointLine, Result
from harness.vocabulary import describe_status

_LAYERS_SHOWN = 60
_NETWORK_CHARACTERS = 4000


def report_view(view: ReportView) -> RenderableType:
    """All of the view."""
    result = view.result
    shown = _Shown(view.metrics, view.points, view.evidence, view.flagged)
    parts = _result(result, shown, stand_in=view.assignment.data.stand_in)
    for curve in result.curves:
        parts += [Text(), curve_view(curve)]
    if result.layers:
        parts += [Text(), _layers(result.layers)]
    parts += [Text(), Text.assemble(("Score ", "bold"), whole_text(view.score, view.possible, view.pending))]
    if view.override:
        parts.append(safe(view.override.said, "yellow"))
    if view.board_name:
        parts.append(safe(f"On the board: {view.board_name}"))
    parts += [safe(each, "yellow", limit_characters=2000) for each in view.decisions]
    if len(view.history) > 1:
        parts += [Text(), _history(view.history)]
    graded = f"attempt {view.attempt} of {len(view.history)}, graded {moment_text(view.graded_at)}"
    facts = [graded, *(f"{name} {value}" for name, value in view.circumstances)]
    parts.append(safe(" · ".join(facts), "dim"))
    if result.printed:
        parts += [Text(), Text("What its code printed (for the instructor)", "bold")]
        parts += [Padding(Text(line), (0, 0, 0, 2)) for line in clean_lines(result.printed)]
    if view.withheld:
        left_out = f"For the instructor only (--audience instructor): {', '.join(view.withheld)}."
        parts.append(Text(left_out, "dim"))
    return Group(*parts)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is shown of a result beside itself."""

    metrics: Sequence[MetricLine]
    points: Sequence[PointLine]
    evidence: Collection[str]
    flagged: bool


def _result(result: Result, shown: _Shown, *, stand_in: bool) -> list[RenderableType]:
    colour = "green" if result.status == "graded" else "red"
    title = Text.assemble(safe(result.submission, "bold"), " · ", safe(outcome(result), colour))
    parts: list[RenderableType] = [title]
    if result.members:
        parts.append(Text.assemble(("by ", "dim"), safe(", ".join(result.members), "dim")))
    if result.hint:
        parts.append(Text.assemble(("  → ", "cyan"), safe(result.hint)))
    if network := network_line(result, flagged=shown.flagged):
        parts.append(safe(network, "yellow" if shown.flagged else "dim", limit_characters=_NETWORK_CHARACTERS))
    if stand_in:
        parts.append(Text(STAND_IN, "yellow"))
    if result.checks:
        parts += [Text(), _checks(result.checks, shown.evidence)]
    if result.metrics:
        parts += [Text(), _metrics(shown.metrics)]
    for table in result.tables:
        parts += [Text(), table_view(table)]
    if shown.points:
        parts += [Text(), _points(shown.points)]
    if result.notes:
        parts += [Text(), Text("Notes", "bold"), *(Padding(safe(note), (0, 0, 0, 2)) for note in result.notes)]
    return parts


def _checks(checks: Iterable[Check], evidence: Collection[str]) -> Table:
    grid = plain_grid()
    for check in checks:
        colour = COLOURS[check.verdict]
        reason = safe(check.reason)
        if check.name in evidence:
            reason = Text.assemble(("for the instructor: ", "dim"), reason)
        if check.hint:
            reason = Text.assemble(reason, ("\n→ ", "cyan"), safe(check.hint))
        grid.add_row(Text(VERDICT_SYMBOLS[check.verdict], colour), safe(check.name, colour), reason)
    return grid


def _metrics(lines: Iterable[MetricLine]) -> Table:
    table = simple_table("metric", "value", "95 % interval", "limits and baselines")
    for column in table.columns[1:3]:
        column.justify, column.no_wrap = "right", True
    for line in lines:
        cells = (line.title, figure_text(line.metric, line.title), interval_text(line.metric), standing(line))
        table.add_row(*map(safe, cells))
    return table


def _points(points: Iterable[PointLine]) -> Table:
    table = simple_table("points for", "points", "because")
    table.columns[1].justify, table.columns[1].no_wrap = "right", True
    for line in points:
        table.add_row(safe(line.name), points_text(line.points, line.max_points), safe(line.reason))
    return table


def _history(attempts: Iterable[PastAttempt]) -> Table:
    table = simple_table("attempt", "graded", "status", "automatic points", "")
    for place, each in enumerate(attempts, start=1):
        score = score_text(each.score, each.max_score, each.pending)
        cells = (str(place), moment_text(each.graded_at), describe_status(each.status), score)
        table.add_row(*cells, "counts" if each.counts else "")
    return table


def _layers(layers: tuple[Layer, ...]) -> Table:
    table = simple_table("layer (torchinfo)", "class", "output", "parameters")
    table.columns[3].justify = "right"
    for each in layers[:_LAYERS_SHOWN]:
        table.add_row(safe(each.name), safe(each.kind), shape_text(each.output), f"{each.parameters:,}")
    if len(layers) > _LAYERS_SHOWN:
        table.add_row(f"… and {len(layers) - _LAYERS_SHOWN} more")
    return table
