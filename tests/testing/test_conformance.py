"""The rules of evaluators: ours keep them, and whoever breaks one is told which."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch

from harness.api import Check, CheckSpec, Correct, Evaluation, MetricSpec, Options, Student
from harness.api.logits import predicted_classes
from harness.plugins import Plugins
from harness.testing import assert_evaluator, student_of, tiny_network

# Fewer points than by default: the rules are the same.
CHEAP: dict[str, dict[str, Any]] = {
    "pruning_curve": {"images": 20, "methods": ["global_l1", "random"], "fractions": [0.5]},
    "quantization_curve": {"images": 20, "bits": [4], "fp16": False},
}
OURS = Plugins.installed().evaluators
NUMBER = itertools.count()


@pytest.fixture(scope="module")
def student() -> Student:
    return student_of()


@pytest.mark.parametrize("name", OURS)
def test_our_own_plugins_keep_the_rules(name: str, student: Student) -> None:
    assert_evaluator(OURS[name], CHEAP.get(name), student=student)


class Mine:
    name = "mine"
    Options = Options
    metrics = (
        MetricSpec("right", unit="fraction", higher_is_better=True),
        MetricSpec("shown", unit="fraction", higher_is_better=True, about="weights"),
    )
    checks = (CheckSpec("mine", about="weights"),)

    def __init__(self, does: Callable[[Any, Any], Any]) -> None:
        self.does = does

    def evaluate(self, student: Any, context: Any) -> Any:
        return self.does(student, context)


def share(student: Any, context: Any) -> float:
    classes = predicted_classes(student.logits(context.examples.images)).numpy()
    return float((classes == context.examples.labels).mean())


def careless(student: Any, context: Any) -> Evaluation:
    loss = student.logits(context.examples.images).exp().sum(1).log().mean()
    return Evaluation(metrics={"right": Mine.metrics[0].of(float(loss))})


def in_place(student: Any, context: Any) -> Evaluation:
    next(iter(student.weights.values())).mul_(0.5)
    return Evaluation()


def on_images(student: Any, context: Any) -> Evaluation:
    context.examples.images.pixels[0] ^= 1
    return Evaluation()


def on_images_by_numpy(student: Any, context: Any) -> Evaluation:  # which torch does not hear of
    context.examples.images.pixels.numpy()[0] ^= 1
    return Evaluation()


BROKEN = {
    "is not among its metrics": lambda *_: Evaluation(metrics={"rihgt": Mine.metrics[0].of(1)}),
    "returned None, no Evaluation": lambda *_: None,
    "something else the second time": lambda *_: Evaluation(metrics={"right": Mine.metrics[0].of(next(NUMBER))}),
    "changes the weights": in_place,
    "changed the images": on_images,
    "changes the images": on_images_by_numpy,
    "tells students of private images by 'shown'": lambda student, context: Evaluation(
        metrics={"shown": Mine.metrics[1].of(share(student, context))}
    ),
    "private images by the check 'mine'": lambda student, context: Evaluation(
        checks=(Check.passed("mine", f"{share(student, context)} are right"),)
    ),
    "its confusion counts private images": lambda student, context: Evaluation(
        confusion=((int(context.examples.labels[1]),),)
    ),
    "which answers are right": lambda *_: Evaluation(correct=Correct(public=b"1")),
    "does not survive an image without a defined logit": careless,
}


@pytest.mark.parametrize("told", BROKEN)
def test_a_rule_that_is_broken_is_named(told: str) -> None:
    network = tiny_network()
    with torch.no_grad():  # answers that depend on the image
        network[4].weight.mul_(5)
    with pytest.raises(AssertionError, match=told):
        assert_evaluator(Mine(BROKEN[told]), student=student_of(network))


def test_one_that_keeps_them_passes() -> None:
    assert_evaluator(Mine(lambda *given: Evaluation(metrics={"right": Mine.metrics[0].of(share(*given))})))
    with pytest.raises(AssertionError, match=r"evaluators\.mine\.levle: unknown key"):
        assert_evaluator(Mine(careless), {"levle": 1})
