"""Export every point of everyone as CSV, with names: the instructor's own record."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from harness.api import Board, Entry, Excused, Exporter, Person, Standing, Unranked, UsageError, hookimpl
from harness.api.text import csv_cell, to_come_text

_WHO = ("id", "name", "email", "team", "submission", "nickname", "members")
_WHAT = ("status", "rank")
_WHEN = ("submitted_at", "late_days", "late_unknown", "attempts")
_WHY = ("reason", "explanation", "override_by", "override_reason", "score_before", "status_before")


class CsvExport:
    """A line for each person, or each submission where there is no roster; safe to open in a spreadsheet."""

    name = "csv"

    def export(self, board: Board, template: Path | None) -> dict[str, str]:
        if template is not None:
            raise UsageError("--template: this format fills in no template")
        rows: list[Standing | Unranked] = [*board.standings, *board.unranked]
        lines = list(dict.fromkeys(line.name for row in rows for line in row.points))
        metrics = [*(key.metric for key in board.ranking), *board.further]
        points = {name: f"points: {name}" for name in lines}
        columns = [*_WHO, *_WHAT, *points.values(), "score", "max_score", "pending", "to_come", *metrics, *_WHEN, *_WHY]
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n", restval="")
        writer.writerow({name: csv_cell(name) for name in columns})
        absent = [*map(_absent, board.missing), *map(_excused, board.excused)]
        for cells in (*_lines(rows, points), *absent):
            writer.writerow({name: csv_cell(value) for name, value in cells.items()})
        return {"points.csv": text.getvalue()}


def _lines(rows: Iterable[Standing | Unranked], points: dict[str, str]) -> Iterator[dict[str, Any]]:
    for row in rows:
        cells = _outcome(row) | {points[line.name]: line.points for line in row.points}
        people = [_person(each) for each in row.people] or [{"id": row.submission}]
        yield from (person | cells for person in people)


def _person(person: Person) -> dict[str, Any]:
    return {"id": person.id, "name": person.name, "email": person.email, "team": person.team}


def _absent(person: Person) -> dict[str, Any]:
    return {**_person(person), "status": "missing", "score": 0, "reason": "handed in nothing"}


def _excused(person: Excused) -> dict[str, Any]:
    """Neither a score nor a zero."""
    return {**_person(person), "status": "excused", "reason": person.ruling.said()}


def _outcome(row: Standing | Unranked) -> dict[str, Any]:
    submitted = None if row.submitted_at is None else row.submitted_at.isoformat(timespec="seconds")
    explained = "; ".join(f"{line.name} {line.points:g}: {line.reason}" for line in row.points)
    return {
        "submission": row.submission,
        "nickname": row.name,
        "members": "; ".join(row.members),
        "status": row.status,
        "rank": row.rank if isinstance(row, Standing) else None,
        "score": row.score,
        "max_score": row.max_score,
        "pending": row.pending or None,
        "to_come": to_come_text(row.possible) or None,
        **{name: metric.value for name, metric in row.metrics.items()},
        "submitted_at": submitted,
        "late_days": row.late_days,
        "late_unknown": row.late_unknown,
        "attempts": row.attempts,
        "reason": None if isinstance(row, Standing) else row.reason,
        "explanation": explained,
        **_override(row),
    }


def _override(row: Entry) -> dict[str, Any]:
    if row.override is None:
        return {}
    return {
        "override_by": row.override.author,
        "override_reason": row.override.reason,
        "score_before": row.override.old_score,
        "status_before": row.override.old_status,
    }


@hookimpl
def harness_exporters() -> Iterable[Exporter]:
    return [CsvExport()]
