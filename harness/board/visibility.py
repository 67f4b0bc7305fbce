"""Show the class its part of a board: built from what is allowed, not by striking out the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from harness.points.scoring import total
from harness.text import clean
from harness.values.board import Board, Entry, Standing, Unranked
from harness.values.measures import Measures
from harness.values.results import ScoreLine
from harness.vocabulary import describe_status


def for_class(board: Board, measures: Measures) -> Board:
    """The board as everyone may see it: without ids and people behind names, what is between an instructor and a
    student, checks that are evidence, and the text of exceptions.

    A crash's message is written by the submission's own code, which has seen the graded images: showing it to
    students would tell them about private data.
    """
    further = tuple(name for name in board.further if _may_see(name, measures, private=board.private))
    shown = [*(key.metric for key in board.ranking), *further]
    standings = (row.model_copy(update={"unverified_because": None}) for row in board.standings)
    unranked = (row.model_copy(update={"reason": _public_reason(row)}) for row in board.unranked)
    return board.model_copy(
        update={
            "further": further,
            "titles": {name: board.titles[name] for name in shown if name in board.titles},
            "briefly": tuple(name for name in board.briefly if name in further),
            "standings": tuple(_for_class(row, shown, measures, private=board.private) for row in standings),
            # A figure of someone who has no place may be the reason for it.
            "unranked": tuple(_for_class(row, (), measures, private=board.private) for row in unranked),
            "missing": (),
            "excused": (),
        }
    )


def _may_see(name: str, measures: Measures, *, private: bool) -> bool:
    """Whether the class may see a further metric: where private figures are shown, all but their mean with the public
    ones.
    """
    return measures.is_public(name) or (private and measures.under(name, "private") == name)


AnyEntry = TypeVar("AnyEntry", Standing, Unranked)


def _for_class(row: AnyEntry, shown: Sequence[str], measures: Measures, *, private: bool) -> AnyEntry:
    points = _public_lines(row.points, private=private)
    return row.model_copy(
        update={
            "submission": _public_id(row),
            "members": (),
            "accounts": (),
            "people": (),
            "score": total(points),
            "max_score": sum(line.max_points for line in points),
            "possible": row.possible.without(line for line in row.points if line not in points),
            "points": points,
            "metrics": {name: row.metrics[name] for name in shown if name in row.metrics},
            "failed_checks": tuple(name for name in row.failed_checks if not measures.is_evidence(name)),
            "unchecked": tuple(name for name in row.unchecked if not measures.is_evidence(name)),
            "submitted_at": None,
            "late_days": None,
            "late_unknown": False,
            "override": None,
        }
    )


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
