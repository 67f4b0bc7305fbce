"""Tell the whole that a score is part of: now, after publication, by rank, by hand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from harness.values.results import PointLine, PointsPossible, ScoreLine
from harness.values.rules import AssignmentFile


def points_possible(rules: AssignmentFile, lines: Sequence[PointLine]) -> PointsPossible:
    """What of an assignment's points these lines cover, and what is still to come.

    Args:
        lines: of one score, as far as its reader may see them: automatic ones alone, or also by rank and by hand.
    """
    decided = any(isinstance(line, ScoreLine) and line.kind == "override" for line in lines)
    known = {line.name for line in lines if not (isinstance(line, ScoreLine) and line.open)}
    rubric = rules.rubric

    def left(sections: Iterable[tuple[str, float]]) -> float:
        return math.fsum(points for name, points in sections if name not in known and not decided)

    automatic, rank, manual = (
        [(rule.name, rule.points) for rule in section] for section in (rubric.points, rubric.rank, rubric.manual)
    )
    whole = math.fsum(points for _, points in (*automatic, *rank, *manual))
    after, by_rank, by_hand = left(automatic), left(rank), left(manual)
    return PointsPossible(
        now=whole - after - by_rank - by_hand,
        after_publication=after,
        by_rank=by_rank,
        by_hand=by_hand,
        total=whole if rubric.cap is None else min(whole, rubric.cap),
    )
