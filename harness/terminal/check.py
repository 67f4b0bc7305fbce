"""Show what `harness check` found on one screen: what decides, the score, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.assignment.loading import Assignment
from harness.audience import holds_private
from harness.charts.terminal import terminal
from harness.report.next_steps import next_steps, prediction
from harness.report.view import STAND_IN, VERDICT_SYMBOLS, is_flagged, metric_lines, network_line, outcome, standing
from harness.terminal.console import plain_grid, safe
from harness.text import clean, clean_lines, figure_text, interval_text
from harness.values.base import Verdict
from harness.values.measures import ACCURACY, Check
from harness.values.report import MetricLine
from harness.values.results import Result

COLOURS: dict[Verdict, str] = {"passed": "green", "failed": "red", "could_not_check": "yellow"}
_REASON_CHARACTERS = 4000
_NOTES = 2
_PRINTED_LINES = 4
_CURVE_WIDTH, _CURVE_HEIGHT = 56, 8


@dataclass(frozen=True, slots=True)
class Checked:
    """A result and what is needed to show it to its author.

    Attributes:
        limits: of metrics, as `metric_limits` finds them.
        walled: whether its code ran in a sandbox.
    """

    result: Result
    assignment: Assignment
    limits: Mapping[str, float]
    walled: bool = True

    @property
    def checks(self) -> list[Check]:
        """Without those that passed and are for the instructor alone."""
        kinds = self.assignment.measures
        return [each for each in self.result.checks if each.verdict != "passed" or not kinds.is_evidence(each.name)]


def check_view(checked: Checked) -> RenderableType:
    """From the outcome down to the next step."""
    result, rules = checked.result, checked.assignment.rules
    parts: list[RenderableType] = [_title(checked)]
    if checked.assignment.info.data.stand_in:
        parts.append(Text(STAND_IN, "yellow"))
    if checked.checks:
        parts.append(_checks(checked.checks))
    parts += _figures(checked)
    parts += [terminal(each, width=_CURVE_WIDTH, height=_CURVE_HEIGHT) for each in result.curves]
    parts += _asides("note: ", [clean(note) for note in result.notes], _NOTES, last=False)
    if result.printed and not holds_private(rules):
        parts += _asides("printed: ", clean_lines(result.printed), _PRINTED_LINES, last=True)
    if not checked.walled:
        parts.append(Text("Without a sandbox: the code ran with all your rights. 'harness doctor' says more.", "dim"))
    if result.status == "graded":
        parts.append(Text.assemble(("Predicted score  ", "bold"), prediction(result, checked.assignment)))
    for step in next_steps(result, checked.assignment):
        parts.append(Text.assemble(("Next  ", "bold"), safe(step, limit_characters=_REASON_CHARACTERS)))
    return Group(*parts)


def _title(checked: Checked) -> Text:
    result, flagged = checked.result, is_flagged(checked.result, checked.assignment)
    colour = "green" if result.status == "graded" else "red"
    words = [safe(result.submission, "bold"), safe(outcome(result), colour)]
    if result.members:
        words.append(safe(f"by {', '.join(result.members)}", "dim"))
    if network := network_line(result, flagged=flagged):
        words.append(safe(network, "yellow" if flagged else "dim", limit_characters=_REASON_CHARACTERS))
    return Text(" · ").join(words)


def _checks(checks: Sequence[Check]) -> Table:
    """What passed takes a line each, whatever it says; what did not is said in full, and folds below its name."""
    grid = Table.grid(padding=(0, 1))
    names = [safe(check.name, COLOURS[check.verdict]) for check in checks]
    longest = max(each.cell_len for each in names)
    for check, name in zip(checks, names, strict=True):
        passed = check.verdict == "passed"
        name.pad_right(longest + 1 - name.cell_len)
        reason = safe(check.reason, limit_characters=_REASON_CHARACTERS)
        lines = [Text.assemble(name, reason)]
        if check.hint:
            begins = " " * (longest + 1) if passed else ""
            lines.append(Text.assemble(begins, ("→ ", "cyan"), safe(check.hint)))
        for each in lines:
            each.no_wrap, each.overflow = passed, "ellipsis" if passed else "fold"
        grid.add_row(Text(VERDICT_SYMBOLS[check.verdict], COLOURS[check.verdict]), Group(*lines))
    return grid


def _figures(checked: Checked) -> list[RenderableType]:
    """A line for each figure that is judged or ranked, those that say the same in one; the others side by side."""
    lines = _different(metric_lines(checked.result, checked.assignment, checked.limits))
    compared = checked.assignment.measures.kinds_of(ACCURACY)
    ranked = {key.metric for key in checked.assignment.rules.ranking}
    chosen = {line.name for line in lines if line.limit or line.name in compared or line.name in ranked}
    shown: list[RenderableType] = []
    if chosen:
        grid = plain_grid()
        for line in lines:
            if line.name in chosen:
                interval = interval_text(line.metric)
                said = figure_text(line.metric, line.title) + (f" (95 %: {interval})" if interval else "")
                grid.add_row(" ", safe(line.title), safe("; ".join(filter(None, (said, standing(line))))))
        shown.append(grid)
    rest = [f"{line.title} {figure_text(line.metric, line.title)}" for line in lines if line.name not in chosen]
    return [*shown, safe(f"also: {', '.join(rest)}", "dim", limit_characters=_REASON_CHARACTERS)] if rest else shown


def _different(lines: Iterable[MetricLine]) -> list[MetricLine]:
    """Without figures that another, of which they are a kind by their names, says already."""
    kept: list[MetricLine] = []
    for line in lines:
        if not any(line.name.startswith(f"{each.name}_") and line.metric.value == each.metric.value for each in kept):
            kept.append(line)
    return kept


def _asides(title: str, lines: list[str], most: int, *, last: bool) -> list[RenderableType]:
    """The first lines or the last, one of the screen's each, and how many more there are."""
    shown = lines[-most:] if last else lines[:most]
    more = [f"… {len(lines) - most} more; --html FILE has all"] if len(lines) > most else []
    said = [*more, *shown] if last else [*shown, *more]
    return [Text(title + line, "dim", no_wrap=True, overflow="ellipsis") for line in said]
