"""What is measured without the hand-in, what is left to the grader, and in which order it counts."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from student_fakes import examples, parameters

from harness.api import Evaluation, MetricSpec, Options
from harness.errors import HarnessError, OnlyAtHome, SubmissionError, Unreachable
from harness.grading import elsewhere
from harness.grading.elsewhere import Elsewhere, Task, software
from harness.grading.setting import Setting
from harness.submission.settings import Settings


class Asks:
    """An evaluator that does what it is told to, and says which metrics it was told of."""

    metrics = tuple(MetricSpec(name, unit="parameters", higher_is_better=False) for name in "abcdz")
    checks = ()

    def __init__(self, name: str, does: Callable[[Any], Evaluation], reads: set[str] | None = None) -> None:
        self.name, self.does = name, does
        if reads is not None:
            self.reads = frozenset(reads)

    def evaluate(self, student: Any, context: Any) -> Evaluation:
        return self.does(context)


def finds(name: str) -> Callable[[Any], Evaluation]:
    return lambda context: Evaluation(metrics={name: parameters(len(context.measured))})


def raises(error: Exception) -> Callable[[Any], Evaluation]:
    def evaluate(context: Any) -> Evaluation:
        raise error

    return evaluate


def found(
    monkeypatch: pytest.MonkeyPatch, evaluators: list[Asks], known: Mapping[str, Evaluation] | None = None
) -> Any:
    by_name = {each.name: each for each in evaluators}
    monkeypatch.setattr(elsewhere, "_plugins", lambda: SimpleNamespace(evaluators=by_name))
    task = Task("", b"", 0, Settings(), known or {})
    return elsewhere._evaluated(None, setting(by_name), task)


def setting(names: Any, **versions: str) -> Setting:
    rules: Any = SimpleNamespace(
        teacher=None,
        data={"test": SimpleNamespace(public_fraction=None)},
        submission=SimpleNamespace(kd_functions=()),
        limits=SimpleNamespace(request_seconds=1),
    )
    options = dict.fromkeys(names, Options())
    return Setting(rules, options, "instructor", 4, examples([0]), np.array([True]), None, versions)


HOME = OnlyAtHome("the hand-in's")


def test_what_only_the_hand_in_knows_is_left_out_with_those_who_build_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluators = [
        Asks("first", finds("a"), {"network"}),
        Asks("code", raises(HOME), {"hand_in"}),
        Asks("alone", finds("b"), {"network"}),
        Asks("builds", finds("c"), {"network", "earlier"}),
        Asks("unsaid", finds("d")),
    ]
    assert found(monkeypatch, evaluators).keys() == {"first", "alone"}
    del evaluators[1]
    all_of_them = found(monkeypatch, evaluators)
    assert {name: each.metrics[key].value for (name, each), key in zip(all_of_them.items(), "abcd", strict=True)} == {
        "first": 0,
        "alone": 1,
        "builds": 2,
        "unsaid": 3,
    }


def test_what_is_known_is_not_measured_and_is_told_to_those_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"first": Evaluation(metrics={"a": parameters(5), "z": parameters(6)})}
    evaluators = [Asks("first", raises(AssertionError())), Asks("second", finds("b"))]
    again = found(monkeypatch, evaluators, known)
    assert again.keys() == {"second"}
    assert again["second"].metrics["b"].value == 2


def test_a_student_s_failure_is_an_answer_and_any_other_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = SubmissionError("rejected", "all logits are NaN", "train longer")
    evaluators = [Asks("first", finds("a")), Asks("second", raises(refused)), Asks("third", raises(AssertionError()))]
    answer = found(monkeypatch, evaluators)
    assert list(answer) == ["first", "second"]
    come = pickle.loads(pickle.dumps(answer))["second"]
    assert (come.status, come.reason, come.hint, str(come)) == (
        "rejected",
        "all logits are NaN",
        "train longer",
        "all logits are NaN",
    )
    with pytest.raises(MemoryError):
        found(monkeypatch, [Asks("first", raises(MemoryError()))])


def test_other_software_measures_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins: Any = SimpleNamespace(evaluators={"accuracy": None}, evaluator_version=lambda _: "1.0")
    monkeypatch.setattr(elsewhere, "_plugins", lambda: plugins)
    same = software(["accuracy"], plugins)
    elsewhere._same_software(setting(["accuracy"], **same))
    with pytest.raises(HarnessError, match=r"evaluator accuracy is 1\.0 there and 0\.9 here: install the same"):
        elsewhere._same_software(setting(["accuracy"], **{**same, "evaluator accuracy": "0.9"}))
    with pytest.raises(HarnessError, match="sizes is not installed there"):
        elsewhere._same_software(setting(["accuracy", "sizes"], **same))


@pytest.mark.parametrize("answers", [True, False])
def test_who_waits_lends_its_hands(answers: bool) -> None:
    hands, told = threading.Semaphore(1), []

    class Crew:
        size = 1

        def ask(self, work: Any, shared: Any, task: Any, stopping: Any) -> Any:
            with hands:  # deadlocks if they were kept
                if not answers:
                    raise Unreachable("they have gone home")
                return {"accuracy": Evaluation()}

    task = Task("", b"", 0, Settings(), {})
    with hands:
        measured = Elsewhere(Crew(), hands, threading.Event(), told.append).measured(setting([]), task)
        assert not hands.acquire(blocking=False)
    assert list(measured) == (["accuracy"] if answers else [])
    assert told == ([] if answers else ["they have gone home"])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            lambda *_: 1 / 0,
            "the executor's ask() raised ZeroDivisionError: division by zero at test_elsewhere.py line ",
        ),
        (lambda *_: None, f"the executor's ask() returned NoneType, not what `work` returned (plugin {__name__})"),
    ],
)
def test_an_executor_that_fails_is_named_and_nothing_is_lost(asked: Any, said: str) -> None:
    class Crew:
        size = 1
        ask = staticmethod(asked)

    told: list[str] = []
    hands = threading.Semaphore(1)
    with hands:
        away: Any = Elsewhere(Crew(), hands, threading.Event(), told.append)
        assert away.measured(setting([]), Task("", b"", 0, Settings(), {})) == {}
    assert [each.startswith(said) for each in told] == [True]
