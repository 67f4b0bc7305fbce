"""A plugin that fails is named, with its method, its line and what to do; no student pays for it."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from student_fakes import FakeStudent, context

from harness.api import Check, CheckSpec, Evaluation, Metric, MetricSpec, Options, SubmissionError
from harness.errors import PluginError
from harness.grading.asking import evaluated, evaluated_predictions
from harness.grading.class_evaluation import _compared
from harness.grading.findings import accident
from harness.plugins.faults import blaming
from harness.plugins.files import expect_files
from harness.plugins.kinds import WRITER

SPEC = MetricSpec("smoothness", unit="fraction", higher_is_better=True)


class Mine:
    name = "mine"
    Options = Options
    metrics = (SPEC,)
    checks = (CheckSpec("smooth_enough"),)

    def __init__(self, does: Callable[[], Any]) -> None:
        self.does = does

    def evaluate(self, student: Any, context: Any) -> Any:
        return self.does()

    def evaluate_predictions(self, predictions: Any, context: Any) -> Any:
        return self.does()

    def evaluate_class(self, entries: Any, options: Any, starter: Any) -> Any:
        return self.does()


def fails() -> None:
    raise ValueError("too few images")


def said(does: Callable[[], Any]) -> str:
    with pytest.raises(PluginError) as raised:
        evaluated(Mine(does), FakeStudent(), context())
    return str(raised.value)


def test_an_exception_names_plugin_method_line_and_cure() -> None:
    text = said(fails)
    assert text.startswith(f"evaluator 'mine' (plugin {__name__}): evaluate() raised ValueError: too few images at ")
    assert f'test_asking.py line {fails.__code__.co_firstlineno + 1}: `raise ValueError("too few images")`' in text
    assert text.endswith("; mend the plugin, or leave [evaluators.mine] out of the assignment")


@pytest.mark.parametrize(
    ("returned", "wanted"),
    [
        (None, "evaluate() returned None, no Evaluation: write return Evaluation(metrics=…)"),
        ({"smoothness": 1.0}, "evaluate() returned a dict, no Evaluation"),
        (
            Evaluation(metrics={"smothness": SPEC.of(1)}),
            "measured 'smothness', which is not among its metrics; did you mean 'smoothness'?; declare it: MetricSpec(",
        ),
        (
            Evaluation(metrics={"smoothness": Metric(value=1, unit="bytes", higher_is_better=True)}),
            "measured 'smoothness' in another unit or direction than it declares",
        ),
        (
            Evaluation(checks=(Check.passed("smooth", "it is"),)),
            "made the check 'smooth', which is not among its checks; did you mean 'smooth_enough'?",
        ),
    ],
)
def test_what_is_not_as_declared_is_named(returned: Any, wanted: str) -> None:
    assert wanted in said(lambda: returned)


def test_a_number_that_is_none_is_named_where_it_was_made() -> None:
    assert "evaluate() raised ValidationError" in said(
        lambda: Evaluation(metrics={"smoothness": SPEC.of(float("nan"))})
    )


@pytest.mark.parametrize("error", [SubmissionError.rejected("no logits"), OSError(errno.ENOSPC, "full"), MemoryError()])
def test_what_is_the_hand_in_s_or_the_machine_s_is_not_blamed_on_the_plugin(error: Exception) -> None:
    def does() -> None:
        raise error

    with pytest.raises(type(error)):
        evaluated(Mine(does), FakeStudent(), context())


def test_the_other_methods_are_named_as_well() -> None:
    with pytest.raises(PluginError, match=r"evaluate_predictions\(\) raised ValueError"):
        evaluated_predictions(Mine(fails), SimpleNamespace(), context())
    with pytest.raises(PluginError, match=r"class evaluator 'mine'.*evaluate_class\(\) raised ValueError.*class_eval"):
        _compared(Mine(fails), [], Options(), {})
    with pytest.raises(PluginError, match=r"evaluate_class\(\) returned a list, no ClassComparison"):
        _compared(Mine(list), [], Options(), {})
    wanted = r"writer 'mine'.*render\(\) raised KeyError.*choose another --format"
    with pytest.raises(PluginError, match=wanted), blaming(WRITER, Mine(fails), "render"):
        raise KeyError("x")
    with pytest.raises(PluginError, match=r"render\(\) gave \('board.txt', 3\), no pair of a path and a text"):
        expect_files(WRITER, Mine(fails), "render", {"board.txt": 3})


def test_a_result_blames_the_plugin_and_neither_the_student_nor_the_harness(tmp_path: Path) -> None:
    found = accident(PluginError("evaluator 'mine' …"))
    assert (found.status, found.reason) == ("harness_error", "evaluator 'mine' …")
    assert "not the student's fault" in str(found.hint)
