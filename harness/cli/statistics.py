"""`harness statistics`: show a class in numbers."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import (
    assignment_argument,
    json_option,
    load_assignment,
    manual_option,
    roster_option,
    store_option,
    times_option,
    write_json,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from harness.board.class_statistics import ClassStatistics
    from harness.board.matching import RosterFile

_BAR_CHARACTERS = 40


@click.command()
@assignment_argument
@store_option
@manual_option
@roster_option
@times_option
@json_option
def command(
    *,
    assignment_name: str,
    store_url: str,
    manual: Path | None,
    roster: RosterFile | None,
    times: Path | None,
    json_to: str | None,
) -> None:
    """Show a class in numbers: outcomes, a histogram of scores, the commonest failed checks.

    For the instructor: scores include all points.
    """
    from harness.board.class_statistics import class_statistics
    from harness.board.record import BoardRequest, class_record
    from harness.store.store import Store
    from harness.terminal.console import console

    assignment, _ = load_assignment(assignment_name, {}, needs_data=False)
    with closing(Store.open(store_url, create=False)) as store:
        board = class_record(store, assignment, BoardRequest(manual=manual, roster=roster, times=times)).board
    found = class_statistics(board)
    console(stderr=json_to == "-").print(_view(found))
    write_json(json_to, found.model_dump_json(indent=1))


def _view(found: ClassStatistics) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from harness.terminal.console import safe, simple_table

    outcomes = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in found.statuses)
    counts = f"{found.submissions} submissions: {outcomes}; {found.ranked} ranked, {found.late} late"
    parts: list[RenderableType] = [Text(counts + (f", {found.missing} missing" if found.missing else ""))]
    if found.mean is not None and found.quartiles is not None:
        low, middle, high = found.quartiles
        spread = f"mean {found.mean:.4g}, median {middle:.4g}, half of them {low:.4g} to {high:.4g}"
        parts.append(Text(f"Score of {found.max_score:.6g}: {spread}"))
    largest = max((each.count for each in found.histogram), default=0)
    scores = simple_table("score", "submissions", "")
    scores.columns[1].justify = "right"
    for each in found.histogram:
        bar = "█" * round(_BAR_CHARACTERS * each.count / max(1, largest))
        scores.add_row(f"{each.low:.4g} – {each.high:.4g}", str(each.count), bar)
    parts += [Text(), scores]
    for title, checks in (("failed check", found.failed_checks), ("needs a person", found.unchecked)):
        if checks:
            table = simple_table(title, "submissions")
            table.columns[1].justify = "right"
            for name, count in checks:
                table.add_row(safe(name), str(count))
            parts += [Text(), table]
    return Group(*parts)
