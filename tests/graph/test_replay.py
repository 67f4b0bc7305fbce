"""Replaying with other weights, in other layouts, and with the statistics of other images."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from graph_networks import example, images, plain, traced
from torch import nn

from harness.graph.independence import mixes_images
from harness.graph.program import Compiler
from harness.graph.recalibration import recalibrated
from harness.graph.replay import Replay

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
ROOM = Path(__file__).parents[2] / "harness" / "graph"


def test_other_weights() -> None:
    found, other = example("plain"), plain().eval()
    with torch.inference_mode():
        assert torch.equal(Replay(found.graph)(other.state_dict(), images(7)), other(images(7)))


def test_bitwise_equal_in_the_layout_that_is_fed() -> None:
    found = example("depthwise")
    batch = images(64).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        assert torch.equal(Replay(found.graph)(found.tensors, batch), found.module(batch))


def test_nothing_given_is_changed() -> None:
    found, batch = example("activations"), images(4)
    weights = {name: each.clone() for name, each in found.tensors.items()}
    before = batch.clone()
    Replay(found.graph)(weights, batch)
    assert torch.equal(batch, before)
    assert all(torch.equal(each, found.tensors[name]) for name, each in weights.items())


def test_an_activation_overwrites_only_what_nobody_else_reads() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.head = nn.Linear(192, 10), nn.Linear(10, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.first(x.flatten(1))
            return x + torch.relu(x) + torch.relu(self.head(x))

    found = traced(Residual().eval())
    steps = Compiler(found.graph, torch.device("cpu")).program().steps
    functions = [each.function for each in steps if each.operator.name == "aten.relu.default"]
    assert functions == [torch.ops.aten.relu.default, torch.ops.aten.relu_.default]
    with torch.inference_mode():
        assert torch.equal(Replay(found.graph)(found.tensors, images(5)), found.module(images(5)))


def test_values_are_dropped_after_their_last_use() -> None:
    program = Compiler(example("module_list").graph, torch.device("cpu")).program()
    dropped = [slot for step in program.steps for slot in step.last]
    assert len(dropped) == len(set(dropped)) == program.size - 1
    assert program.output not in dropped


def test_instance_norm_that_keeps_statistics_is_recalibrated_as_by_numpy() -> None:
    """Each image has a mean and an (unbiased) variance per channel; kept is their average over all images."""
    found = example("instance_norm")
    batches = [images(n) * 2 + 1 for n in (9, 9)]
    statistics = recalibrated(found.graph, found.tensors, batches)
    every = np.float64(torch.cat(batches).flatten(2))
    assert set(statistics) == {"0.running_mean", "0.running_var"}
    np.testing.assert_allclose(statistics["0.running_mean"], every.mean(2).mean(0), rtol=1e-5)
    np.testing.assert_allclose(statistics["0.running_var"], every.var(2, ddof=1).mean(0), rtol=1e-5)


@pytest.mark.parametrize("name", ["plain", "double"])
def test_recalibrated_like_torch(name: str) -> None:
    found = example(name)
    torch.manual_seed(1)
    module = traced(found.module).module
    batches = [images(n) * 2 + 1 for n in (9, 10, 9)]
    statistics = recalibrated(found.graph, found.tensors, batches)
    before = {key: each.clone() for key, each in module.state_dict().items()}
    layers = [each for each in module.modules() if isinstance(each, nn.BatchNorm2d)]
    try:
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum, layer.training = None, True
        with torch.no_grad():
            for batch in batches:
                module(batch.to(next(module.parameters()).dtype))
        expected = {key: each.clone() for key, each in module.state_dict().items() if "running" in key}
    finally:
        module.eval()
        module.load_state_dict(before)
    assert set(statistics) == set(expected)
    assert all(torch.equal(each, expected[key]) for key, each in statistics.items())


def test_recalibration_of_a_layer_used_twice() -> None:
    shared = nn.BatchNorm2d(3)
    module = nn.Sequential(shared, nn.ReLU(), shared, nn.Flatten(), nn.Linear(192, 10)).eval()
    found = traced(module)
    statistics = recalibrated(found.graph, found.tensors, [images(8), images(9)])
    shared.momentum, shared.training = None, True
    with torch.no_grad():
        for count in (8, 9):
            module(images(count))
    assert torch.equal(statistics["0.running_mean"], shared.running_mean)
    assert torch.equal(statistics["0.running_var"], shared.running_var)


def test_images_that_mix_are_noticed() -> None:
    class Mixing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(192, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x.flatten(1)
            return self.head(x - 1e-3 * x.mean(0))

    found = traced(Mixing().eval())
    assert mixes_images(Replay(found.graph), found.tensors)


def test_the_room_imports_no_student_code_and_no_worker() -> None:
    allowed = ("harness.graph", "harness.values", "harness.errors")
    for file in ROOM.glob("*.py"):
        for each in ast.walk(ast.parse(file.read_text())):
            if isinstance(each, ast.ImportFrom) and (each.module or "").startswith("harness"):
                assert each.module.startswith(allowed), file
    code = "import sys, harness.graph; assert not {'torch', 'pydantic'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
