"""What else was handed in: a line for each hand-in, in the reader's version of it."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from result_fakes import assignment, attempt, result

from harness.report.markdown import markdown
from harness.report.view import class_report, report
from harness.values.late_policy import LatePolicy
from harness.values.results import Attempt
from harness.values.rules import Rubric


def handed_in(number: int, digest: str | None, score: float, submission: str = "alice", **changes: object) -> Attempt:
    outcome = result(submission, digest=digest, score=score, **changes)  # type: ignore[arg-type]
    made = attempt(outcome, number)
    return made.model_copy(update={"graded_at": made.graded_at + timedelta(days=number)})


FIRST = handed_in(1, "sha256:a", 1.0)
FAILED = handed_in(2, None, 0.0, status="rejected", reason="no source")
AGAIN = handed_in(3, "sha256:a", 2.0)
LAST = handed_in(4, "sha256:b", 3.0)
ALL = (FIRST, FAILED, AGAIN, LAST)


def test_files_graded_again_are_one_hand_in_and_its_newest_grading_counts() -> None:
    lines = report(LAST, assignment(), audience="student", attempts=ALL).history
    assert [(each.status, each.score, each.counts) for each in lines] == [
        ("rejected", 0.0, False),
        ("graded", 2.0, False),
        ("graded", 3.0, True),
    ]


def test_of_a_team_the_hand_ins_of_all_members_are_told_also_of_the_same_files() -> None:
    theirs = handed_in(5, "sha256:b", 3.0, "bob")
    view = report(theirs, assignment(), audience="student", attempts=(LAST, theirs))
    assert [each.counts for each in view.history] == [False, True]
    assert view.attempt == 2


def test_the_attempt_is_in_its_history_whatever_is_known_of_others() -> None:
    view = report(LAST, assignment(), audience="student")
    assert (view.attempt, len(view.history)) == (1, 1)
    assert "## Attempts" not in markdown(view)


def test_an_older_grading_that_counts_stands_for_its_files() -> None:
    """As on a frozen board."""
    view = report(FIRST, assignment(), audience="student", attempts=ALL)
    assert [each.score for each in view.history if each.counts] == [1.0]
    assert len(view.history) == 3


def test_earlier_scores_tell_nothing_private() -> None:
    split = assignment(data={"test": {"id": "digits", "dataset": "idx", "path": "data", "public_fraction": 0.5}})
    for view in (
        report(LAST, split, audience="student", attempts=ALL),
        class_report(LAST, split, name="Rabbit", attempts=ALL),
    ):
        # All of the fakes' points hang on the accuracy over all images, or behind a gate on them.
        assert [each.max_score for each in view.history] == [view.result.max_score] * 3
        assert max(each.score for each in view.history) <= view.result.max_score < 5


def test_times_are_those_of_the_courses_clocks() -> None:
    late = Rubric(late=LatePolicy(timezone="Asia/Taipei"))
    view = report(LAST, assignment(rubric=late), audience="student", attempts=ALL)
    assert view.graded_at.tzinfo == ZoneInfo("Asia/Taipei")
    text = markdown(view)
    # 03:04 UTC on the sixth.
    assert "attempt 3 of 3, graded 2026-01-06 11:04 UTC+08:00" in text
    assert "2026-01-04 11:04 UTC+08:00" in text
