"""The stub is a network of the right shape within the limits, and its loss is the reference's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from scipy.special import log_softmax, softmax

from harness.assignment.loading import Assignment, load, metric_limits, shipped
from harness.assignment.stub import parameters, stub_source
from harness.plugins import Plugins

PLUGINS = Plugins.installed()


def executed(assignment: Assignment) -> dict[str, Any]:
    space: dict[str, Any] = {"__name__": "model"}
    exec(stub_source(assignment, PLUGINS), space)
    return space


@pytest.mark.parametrize("name", sorted(shipped()))
def test_it_fits_every_shipped_assignment(name: str) -> None:
    assignment = load(name, PLUGINS, needs_data=False)
    rules = assignment.rules
    space = executed(assignment)
    made = next(space[each] for each in rules.submission.entry_points if each in space)(
        **rules.submission.model_arguments
    )
    size = rules.submission.input_sizes[0]
    assert made.eval()(torch.zeros(2, rules.images.channels, size, size)).shape == (2, rules.images.classes)
    count = sum(each.numel() for each in made.parameters())
    assert count == parameters(made.first.out_channels, rules.images.channels, rules.images.classes)
    for metric, most in metric_limits(assignment, PLUGINS).items():
        assert count * (4 if metric.endswith("bytes") else 1) <= most


def test_a_function_makes_it_where_only_functions_are_named() -> None:
    assignment = load("nycu-ds2023-hw2", PLUGINS, needs_data=False)
    changed = assignment.rules.submission.model_copy(
        update={"entry_points": ("make_model",), "model_arguments": {"classes": 10}}
    )
    space = executed(replace(assignment, rules=assignment.rules.model_copy(update={"submission": changed})))
    assert space["make_model"](classes=10)(torch.zeros(1, 3, 28, 28)).shape == (1, 10)


def test_its_loss_is_hintons() -> None:
    loss = executed(load("nycu-ds2023-hw2", PLUGINS, needs_data=False))["loss_fn_kd"]
    generator = torch.Generator().manual_seed(1)
    student, teacher = (3 * torch.randn(7, 10, generator=generator, dtype=torch.float64) for _ in range(2))
    labels = torch.arange(7)
    soft, target = log_softmax(student.numpy() / 4, 1), softmax(teacher.numpy() / 4, 1)
    divergence = (target * (log_softmax(teacher.numpy() / 4, 1) - soft)).sum() / 7
    hard = -log_softmax(student.numpy(), 1)[range(7), labels].mean()
    assert float(loss(student, labels, teacher, 4.0, 0.3)) == pytest.approx(
        0.3 * 16 * divergence + 0.7 * hard, rel=1e-9
    )
