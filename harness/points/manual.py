"""Read points given by hand from a CSV file: a line for each submission, a column for each `[[rubric.manual]]`."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from harness.csv_tables import read_table
from harness.errors import Problem
from harness.text import suggestion
from harness.values.rules import ManualPoints

GivenPoints = Mapping[str, Mapping[str, float]]
"""Submission or team -> name of the manual points -> points; what was not given is absent."""
_IDS = ("submission", "id")


def read_manual_points(
    path: Path, manual: Sequence[ManualPoints], known: Collection[str], groups: Mapping[str, str]
) -> GivenPoints:
    """Manual points; an empty cell means that they are not given yet.

    Args:
        known: ids that may stand in the column `submission`.
        groups: id -> the team it belongs to, where there are teams. Points are for the team, whoever's id the line has.

    Raises:
        UsageError: the file cannot be read.
        TableError: it has mistakes: unknown ids and columns, what is no number, numbers out of range, and two different
            numbers for one team; all are listed.
    """
    most = {line.name: line.points for line in manual}
    headings = {name.lower(): name for name in most}
    table = read_table(path, {**dict.fromkeys(_IDS, "submission"), **headings}, "submission")
    manual_points: dict[str, dict[str, float]] = {}
    for row in table.rows:
        submission = row.cells.get("submission", "")
        if submission and submission not in known:
            what = f"no submission {submission!r}{suggestion(submission, known)}"
            table.problems.append(Problem(row.where, what))
        given = manual_points.setdefault(groups.get(submission, submission), {})
        for name, cell in row.cells.items():
            if name != "submission" and (mistake := _give(given, name, cell, most[name])):
                table.problems.append(Problem(f"{row.where}, {name}", mistake))
    table.check()
    return manual_points


def _give(given: dict[str, float], name: str, cell: str, most: float) -> str | None:
    """Note the points of one cell, or return what is wrong with it."""
    points = _points(cell, most)
    if points is None:
        return f"{cell!r} is not a number from 0 to {most:g}"
    if given.setdefault(name, points) != points:
        return f"{points:g}, but {given[name]:g} for someone of the same team"
    return None


def _points(cell: str, most: float) -> float | None:
    try:
        # float() alone would take 1_0, infinity and NaN.
        number = float(cell) if "_" not in cell else math.nan
    except ValueError:
        return None
    return number if 0 <= number <= most else None
