"""Gather an assignment for a system that checks hand-ins: what students are given of it, and what they see there."""

from __future__ import annotations

from pathlib import Path

from harness.assignment.loading import Assignment
from harness.audience import holds_private, points_are_public
from harness.contracts.publishing import AssignmentToExport
from harness.values.measures import Figures
from harness.version import __version__


def to_export(assignment: Assignment, kit: Path) -> AssignmentToExport:
    """The assignment as plain files.

    Args:
        kit: a folder that `harness.data.handout` has written.
    """
    rules, measures = assignment.rules, assignment.measures
    figures: Figures = "public" if holds_private(rules) else "all"
    files = sorted(each for each in kit.rglob("*") if each.is_file())
    return AssignmentToExport(
        id=assignment.id,
        file="assignment/assignment.toml",
        files={f"assignment/{each.relative_to(kit).as_posix()}": each for each in files},
        ranks=tuple(
            {"metric": measures.under(key.metric, figures), "order": "desc" if key.higher_is_better else "asc"}
            for key in rules.ranking
        ),
        points=tuple(rule.name for rule in rules.rubric.points if points_are_public(rule, rules, measures)),
        evidence=tuple(name for name in measures.checks if measures.is_evidence(name)),
        shows=rules.board.platform_shows,
        titles=measures.titles,
        limit_seconds=60 * rules.board.platform_minutes,
        memory_bytes=rules.limits.memory_bytes,
        harness_version=__version__,
    )
