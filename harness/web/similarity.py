"""Write what comparing a class has found as a page: findings first, a graph, and code side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from harness.charts.links import Link, link_charts
from harness.values.class_comparison import ClassComparison, ClassReport, Finding
from harness.web.pages import page, templates

_SHEET = Path(__file__).parent / "similarity.css"


@dataclass(frozen=True, slots=True)
class NumberedFinding:
    """A finding under the number that the whole page calls it by."""

    number: int
    finding: Finding


@dataclass(frozen=True, slots=True)
class Part:
    """What one class evaluator found."""

    name: str
    comparison: ClassComparison
    findings: list[NumberedFinding]
    graphs: list[Markup]


def similarity_page(report: ClassReport, title: str) -> str:
    """The page, for the instructor alone.

    Args:
        title: of the assignment.
    """
    parts: list[Part] = []
    begun = 1
    for name, comparison in report.comparisons.items():
        findings = [NumberedFinding(begun + place, each) for place, each in enumerate(comparison.findings)]
        parts.append(Part(name, comparison, findings, link_charts(_links(findings))))
        begun += len(findings)
    return page(_templates(), "similarity.html", sheet=_SHEET, report=report, title=title, parts=parts)


def _links(findings: Sequence[NumberedFinding]) -> list[Link]:
    return [
        Link(one, other, each.number, f"{each.number}: {one}, {other}", each.finding.strength)
        for each in findings
        for one, other in combinations(each.finding.submissions, 2)
    ]


@cache
def _templates() -> Environment:
    return templates()
