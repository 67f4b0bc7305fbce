"""Export to Gradescope: an autograder that hands out what was graded here, and runs no student's code.

Gradescope has no import of points, but runs an uploaded autograder for every submission. This one looks the submission
up in `points.json`, by its id or by the e-mail addresses of those who handed it in, and writes its `results.json`
(https://gradescope-autograders.readthedocs.io/en/latest/specs/). What is not found fails there, and is never a zero.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.api import Board, Exporter, Matches, Standing, Unranked, UsageError, hookimpl
from harness.api.boards import lines_for_student, pending_of, total
from harness.api.text import clean, first_of
from harness_exports.sheets import excused_list

_SUBMISSION = re.compile(r"submission_\d+")
_MAX_NAMES_SHOWN = 5

_SETUP = """\
#!/usr/bin/env bash
set -e
command -v python3 > /dev/null || (apt-get update && apt-get install -y python3)
"""

_RUN = '''\
#!/usr/bin/env python3
"""Hand out what was graded elsewhere: the results of this submission, found by its id or its people's addresses."""

import json
import sys
from pathlib import Path

root = Path(sys.argv[1] if len(sys.argv) > 1 else "/autograder")
points = json.loads((root / "source" / "points.json").read_text(encoding="utf-8"))
metadata = json.loads((root / "submission_metadata.json").read_text(encoding="utf-8"))
people = [str(each.get("email", "")).strip().lower() for each in metadata.get("users", [])]
keys = ["submission_%s" % metadata.get("id"), *people]
found = next((points[key] for key in keys if key in points), None)
if found is None:
    sys.exit("This submission has not been graded yet: %s" % ", ".join(keys))
(root / "results").mkdir(exist_ok=True)
(root / "results" / "results.json").write_text(json.dumps(found), encoding="utf-8")
'''


class Gradescope:
    """An autograder to zip and upload, which hands out the points and reasons of every submission."""

    name = "gradescope"

    def export(self, board: Board, template: Path | None) -> dict[str, str]:
        if template is not None:
            raise UsageError("--template: this format fills in no template")
        points: dict[str, Any] = {}
        lost = []
        rows: list[Standing | Unranked] = [*board.standings, *board.unranked]
        for row in rows:
            keys = _keys(row)
            points |= dict.fromkeys(keys, _results(row, board))
            lost += [row.submission or row.name] if not keys else []
        if lost and not points:
            names = first_of([clean(each, 60) for each in lost], _MAX_NAMES_SHOWN)
            raise UsageError(
                f"Gradescope knows people by e-mail address, which is missing for {len(lost)}: {names}; "
                "name a --roster with a column email"
            )
        document = json.dumps(points, indent=1, allow_nan=False) + "\n"
        files = {"setup.sh": _SETUP, "run_autograder": _RUN, "points.json": document}
        return files | excused_list(board)

    def matches(self, board: Board, template: Path | None) -> Matches:  # noqa: ARG002 - it has no template
        rows: list[Standing | Unranked] = [*board.standings, *board.unranked]
        lost = tuple(row.submission or row.name for row in rows if not _keys(row))
        return Matches(matched=len(rows) - len(lost), unmatched=lost)


def _keys(row: Standing | Unranked) -> set[str]:
    """By what Gradescope tells an autograder about a submission."""
    submission = row.submission or ""
    ids = {submission} if _SUBMISSION.fullmatch(submission) else set()
    known = [name for names in row.accounts for name in names]
    addresses = [submission, *known, *(person.email or "" for person in row.people)]
    return ids | {each.strip().lower() for each in addresses if "@" in each}


def _results(row: Standing | Unranked, board: Board) -> dict[str, Any]:
    """One results.json, with what the student may see."""
    private = board.figures == "public"
    lines = lines_for_student(row.points, private=private)
    pending = pending_of(lines)
    waiting = f"\n{pending:.6g} points are pending until a person has decided." if pending else ""
    later = "\nWhat private images decide is not included yet." if private else ""
    return {
        "score": total(lines),
        "output": clean(_outcome(row)) + waiting + later,
        "output_format": "text",
        "stdout_visibility": "hidden",
        "visibility": "visible",
        "tests": [
            {
                "name": clean(line.name),
                "score": line.points,
                "max_score": line.max_points,
                "output": clean(line.reason),
                "output_format": "text",
            }
            for line in lines
        ],
        "leaderboard": [
            {
                "name": key.metric,
                "value": row.metrics[key.metric].value,
                "order": "desc" if key.higher_is_better else "asc",
            }
            for key in board.ranking
            if isinstance(row, Standing)
        ],
    }


def _outcome(row: Standing | Unranked) -> str:
    if isinstance(row, Standing):
        return f"rank {row.rank}"
    return f"no rank: {row.reason}" if row.status == "graded" else f"no rank: {row.status.replace('_', ' ')}"


@hookimpl
def harness_exporters() -> Iterable[Exporter]:
    return [Gradescope()]
