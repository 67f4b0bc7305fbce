"""Show the class its part of a board: built from what is allowed, not by striking out the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from harness.points.scoring import total
from harness.text import clean
from harness.values.base import Value
from harness.values.board import Board, Entry, Standing, Unranked
from harness.values.measures import Measures
from harness.values.results import ScoreLine
from harness.vocabulary import describe_status

_OPEN = ("board_version", "assignment", "title", "figures", "ranking", "pareto", "baselines", "frozen_at")
_OPEN_OF_ROWS = (
    "name", "status", "attempts", "rank", "tie", "public_rank", "stand_in", "p_value", "distinguishable", "pareto",
    "verified", "device",
)  # fmt: skip
"""Shown as they are. A field that is new is the instructor's alone until it stands here."""


def for_class(board: Board, measures: Measures) -> Board:
    """The board as everyone may see it: without ids and people behind names, what is between an instructor and a
    student, checks that are evidence, and the text of exceptions.

    A crash's message is written by the submission's own code, which has seen the graded images: showing it to
    students would tell them about private data.
    """
    further = tuple(name for name in board.further if _may_see(name, measures, private=board.private))
    shown = [*(key.metric for key in board.ranking), *further]
    return Board(
        **_open(board, _OPEN),
        further=further,
        titles={name: board.titles[name] for name in shown if name in board.titles},
        briefly=tuple(name for name in board.briefly if name in further),
        standings=tuple(Standing(**_of_row(row, shown, measures, private=board.private)) for row in board.standings),
        # A figure of someone who has no place may be the reason for it.
        unranked=tuple(
            Unranked(**_of_row(row, (), measures, private=board.private), reason=_public_reason(row))
            for row in board.unranked
        ),
    )


def _open(value: Value, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names if name in type(value).model_fields}


def _may_see(name: str, measures: Measures, *, private: bool) -> bool:
    """Whether the class may see a further metric: where private figures are shown, all but their mean with the public
    ones.
    """
    return measures.is_public(name) or (private and measures.under(name, "private") == name)


def _of_row(row: Entry, shown: Sequence[str], measures: Measures, *, private: bool) -> dict[str, Any]:
    """What the class may see of a row, by field; it is without any other."""
    points = _public_lines(row.points, private=private)
    return _open(row, _OPEN_OF_ROWS) | {
        "submission": _public_id(row),
        "score": total(points),
        "max_score": sum(line.max_points for line in points),
        "possible": row.possible.without(line for line in row.points if line not in points),
        "points": points,
        "metrics": {name: row.metrics[name] for name in shown if name in row.metrics},
        "failed_checks": tuple(name for name in row.failed_checks if not measures.is_evidence(name)),
        "unchecked": tuple(name for name in row.unchecked if not measures.is_evidence(name)),
    }


def _public_lines(lines: Sequence[ScoreLine], *, private: bool) -> tuple[ScoreLine, ...]:
    """What the network earned, as far as the class may know."""
    earned = (line for line in lines if line.kind in {"automatic", "rank"})
    return tuple(line for line in earned if private or line.public)


def _public_reason(row: Unranked) -> str:
    return row.reason if row.status == "graded" else describe_status(row.status)


def _public_id(row: Entry) -> str | None:
    """The id where the name shows it anyway, else None."""
    if row.submission is None:
        return None
    shown = clean(row.submission, 120)
    return row.submission if row.name == shown else None
