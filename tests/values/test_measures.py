"""What a plugin declares of its metrics and checks is all that boards, reports and students go by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError
from result_fakes import MEASURES, assignment, attempts, count, metric, result

from harness.api import Check, CheckSpec, Evaluation, MetricSpec, Options, SiteWriter, hookimpl
from harness.assignment.loading import Assignment
from harness.assignment.mistakes import references
from harness.audience import for_student
from harness.board.builder import BoardInputs, standings
from harness.board.visibility import for_class
from harness.plugins import Plugins
from harness.report.view import class_report
from harness.values.board import Board
from harness.values.measures import Measures
from harness.values.results import Result

SPLIT = {"test": {"id": "digits", "dataset": "idx", "path": "data", "public_fraction": 0.5}}
SPARSITY = MetricSpec(
    "sparsity", unit="percent", higher_is_better=True, about="weights", on_board="wide", title="share of zeros"
)
ROBUSTNESS = MetricSpec("robustness", unit="fraction", higher_is_better=True, split=True, on_board="wide")


class ThirdParty:
    """Measures more than it declares."""

    name = "third_party"
    Options = Options
    metrics = (SPARSITY, ROBUSTNESS)
    checks = (CheckSpec("sparse", about="weights"), CheckSpec("suspicious", evidence=True))

    def evaluate(self, student: Any, context: Any) -> Evaluation:
        raise NotImplementedError


class Plugin:
    @hookimpl
    def harness_evaluators(self) -> list[ThirdParty]:
        return [ThirdParty()]


PLUGINS = Plugins.of(Plugin())
THEIRS = PLUGINS.measures(["third_party"])


def course(**changes: Any) -> Assignment:
    both = Measures({**MEASURES.metrics, **THEIRS.metrics}, {**MEASURES.checks, **THEIRS.checks})
    return replace(assignment(data=SPLIT, **changes), measures=both)


def measured(name: str, accuracy: float = 0.9, **changes: Any) -> Result:
    return result(
        name,
        metrics={
            "parameters": count(1000),
            "accuracy": metric(0.5),
            "accuracy_public": metric(accuracy),
            "accuracy_private": metric(0.6),
            "sparsity": metric(75, unit="percent"),
            "robustness": metric(0.41),
            "robustness_public": metric(0.42),
            "robustness_private": metric(0.43),
            "undeclared": metric(0.4444),
        },
        checks=(
            Check.failed("sparse", "too few zeros"),
            Check.failed("suspicious", "EVIDENCE"),
            Check.failed("unheard_of", "UNDECLARED"),
        ),
        **changes,
    )


def board_of(rules: Assignment, **inputs: Any) -> Board:
    return standings(attempts(measured("a"), measured("b", 0.8)), rules, BoardInputs(**inputs))


def test_a_third_partys_public_metric_is_on_the_board_and_shown_to_the_class() -> None:
    rules = course()
    whole = board_of(rules)
    assert whole.further == ("sparsity", "accuracy", "accuracy_private", "robustness", *whole.further[4:])
    shown = for_class(whole, rules.measures)
    assert shown.further == ("sparsity", "robustness_public")
    assert shown.standings[0].metrics["sparsity"].value == 75
    assert shown.standings[0].failed_checks == ("sparse",)
    assert "sparsity" in Plugins.installed().writers["csv"].render(shown)["leaderboard.csv"].splitlines()[0]


def test_the_class_sees_the_private_part_of_their_metric_once_ours_is_shown() -> None:
    rules = course()
    shown = for_class(board_of(rules, figures="private"), rules.measures)
    assert {"robustness_public", "robustness_private"} < set(shown.further)
    assert "robustness" not in shown.further


def test_a_student_reads_what_was_declared_public_and_nothing_undeclared() -> None:
    rules = course()
    shown = for_student(measured("a"), rules.rules, rules.measures)
    assert set(shown.metrics) == {"parameters", "accuracy_public", "sparsity", "robustness_public"}
    assert [check.name for check in shown.checks] == ["sparse"]
    report = class_report(attempts(measured("a"))[0], rules, name="a")
    assert "0.4444" not in report.model_dump_json()
    assert report.evidence == ()


def test_a_board_ranks_by_the_public_part_of_their_metric() -> None:
    ranking = [{"metric": "robustness", "higher_is_better": True}]
    rules = course(ranking=ranking)
    assert [key.metric for key in board_of(rules).ranking] == ["robustness_public"]
    assert [key.metric for key in board_of(rules, figures="private").ranking] == ["robustness_private"]


def test_accuracy_is_drawn_against_what_the_board_ranks_by_or_shows() -> None:
    def axes(**changes: Any) -> tuple[str, str]:
        found = board_of(course(**changes)).pareto
        assert found is not None
        return found.x, found.x_title

    assert axes() == ("parameters", "parameters")
    assert axes(board={"pareto": "sparsity"}) == ("sparsity", "share of zeros")
    by_theirs = [{"metric": name, "higher_is_better": True} for name in ("accuracy", "sparsity")]
    assert axes(ranking=by_theirs) == ("sparsity", "share of zeros")
    writer = Plugins.installed().writers["html"]
    assert isinstance(writer, SiteWriter)
    ((_, page),) = writer.render_site(board_of(course(ranking=by_theirs)), {})
    assert "share of zeros" in page


def test_results_of_a_plugin_that_is_gone_are_shown_to_the_instructor_alone() -> None:
    rules = replace(course(), measures=MEASURES)
    board = board_of(rules)
    assert "sparsity" not in board.further
    assert board.standings[0].failed_checks == ("sparse", "suspicious", "unheard_of")
    assert for_class(board, rules.measures).standings[0].failed_checks == ()


def test_two_evaluators_cannot_provide_the_same_name() -> None:
    class Copy(ThirdParty):
        name = "copy"

    class Both:
        @hookimpl
        def harness_evaluators(self) -> list[ThirdParty]:
            return [ThirdParty(), Copy()]

    found = references({"evaluators": {"third_party": {}, "copy": {}}}, Plugins.of(Both()))
    names = "robustness, robustness_private, robustness_public, sparse, sparsity, suspicious"
    assert list(map(str, found)) == [f"evaluators.copy: provides {names}, as third_party does: use one of them"]


def test_a_check_is_no_metric() -> None:
    document = {"evaluators": {"third_party": {}}, "rubric": {"gates": ["sparsity"], "points": [{"metric": "sparse"}]}}
    found = {each.where: each.what for each in references(document, PLUGINS)}
    assert "did you mean 'sparse'?" in found["rubric.gates.0"]
    assert "did you mean 'sparsity'?" in found["rubric.points.0.metric"]


@pytest.mark.parametrize("wrong", [{"about": "weight"}, {"on_board": "yes"}, {"colour": "red"}])
def test_a_misspelt_declaration_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValidationError, TypeError)):
        MetricSpec("x", unit="", higher_is_better=True, **wrong)
