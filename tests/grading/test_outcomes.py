"""A result carries the whole that its score is part of."""

from __future__ import annotations

from result_fakes import rules

from harness.grading.findings import Findings
from harness.grading.outcomes import outcome_of
from harness.values.rules import ManualPoints, PointRule, RankPoints, Rubric

RULES = rules(
    rubric=Rubric(
        points=(PointRule(name="loss", check="kd_loss", points=2),),
        rank=(RankPoints(name="rank", metric="accuracy", points=30),),
        manual=(ManualPoints(name="report", points=25),),
    )
)


def test_what_could_not_be_used_is_part_of_the_same_whole() -> None:
    for status in ("graded", "rejected"):
        made = outcome_of(RULES, "alice", None, Findings(status))
        assert made.points_possible is not None
        assert made.points_possible.model_dump() == {
            "now": 2,
            "after_publication": 0,
            "by_rank": 30,
            "by_hand": 25,
            "total": 57,
        }
