"""Say a score together with the whole that it is a part of."""

from __future__ import annotations

from harness.values.rules import AssignmentFile


def whole_text(rules: AssignmentFile, score: float, pending: float = 0) -> str:
    """'45 of 100 so far; 30 by rank, 25 by hand to come', or '45 of 45' where nothing comes later.

    Args:
        score: of what is graded automatically.
        pending: of that, what a person has to decide about.
    """
    rubric = rules.rubric
    later = [
        (sum(each.points for each in rubric.rank), "by rank"),
        (sum(each.points for each in rubric.manual), "by hand"),
    ]
    parts = [f"{points:.6g} {how}" for points, how in later if points]
    whole = sum(each.points for each in rubric.points) + sum(points for points, _ in later)
    whole = whole if rubric.cap is None else min(whole, rubric.cap)
    if not whole:
        return "no points are given automatically"
    said = f"{score:.6g} of {whole:.6g}"
    if pending:
        parts = [f"{pending:.6g} pending until a person decides", *parts]
    return f"{said} so far; {', '.join(parts)} to come" if parts else said
