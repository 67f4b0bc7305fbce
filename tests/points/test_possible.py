"""The whole that a score is part of."""

from __future__ import annotations

from result_fakes import result, rules

from harness.points.possible import points_possible
from harness.points.scoring import ScoreInputs, score_lines
from harness.text import whole_text
from harness.values.rules import ManualPoints, PointRule, RankPoints, Rubric

RULES = rules(
    rubric=Rubric(
        points=(
            PointRule(name="simple", baseline="simple", points=3),
            PointRule(name="loss", check="kd_loss", points=2),
        ),
        rank=(RankPoints(name="rank", metric="accuracy", points=30),),
        manual=(ManualPoints(name="report", points=25),),
    )
)


def said(*, by_hand: float | None = None, automatic_alone: bool = False) -> str:
    given = {} if by_hand is None else {"report": by_hand}
    lines = result().points if automatic_alone else score_lines(RULES, result(), ScoreInputs({}, given))
    return whole_text(sum(line.points for line in lines), points_possible(RULES, lines))


def test_every_score_is_told_with_the_same_whole() -> None:
    assert said(automatic_alone=True) == "3 of 60 so far; 30 by rank, 25 by hand to come"
    assert said() == "3 of 60 so far; 25 by hand to come"
    assert said(by_hand=20) == "23 / 60"


def test_what_is_not_shown_is_still_to_come() -> None:
    lines = score_lines(RULES, result(), ScoreInputs({}, {"report": 20.0}))
    whole = points_possible(RULES, lines).without([lines[0], lines[-1]])
    assert whole_text(0, whole) == "0 of 60 so far; 3 after publication, 25 by hand to come"
    assert whole.now == 60 - 3 - 25


def test_a_cap_is_the_whole() -> None:
    capped = RULES.model_copy(update={"rubric": RULES.rubric.model_copy(update={"cap": 50.0})})
    assert points_possible(capped, result().points).total == 50
