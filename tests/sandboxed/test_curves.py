"""A curve through the sandbox, against the same network pruned by PyTorch in this process."""

from __future__ import annotations

import json
from copy import deepcopy

import hand_ins
import pytest
import torch
from builders import quick_hw2
from hand_ins import PLUGINS, sandbox_called
from torch import nn
from torch.nn.utils import prune

from harness.assignment.loading import load
from harness.data.images import load_examples

NET = """
import torch
import torch.nn as nn


class StudentNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=3)
        self.bn = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8 * 9 * 9, 10)

    def forward(self, x):
        return self.fc(torch.relu(self.bn(self.conv(x))).flatten(1))
"""
FRACTIONS = (0.3, 0.6, 0.9, 0.99)
IMAGES = 300
ONE_IMAGE = 1.01 / IMAGES


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("hand-in")
    scope: dict[str, type[nn.Module]] = {}
    exec(NET, scope)
    torch.manual_seed(0)
    network = scope["StudentNet"]().eval()
    (folder / "model.py").write_text(NET)
    torch.save(network.state_dict(), folder / "weights.pt")
    curves = {
        "pruning_curve": {"methods": ["global_l1"], "fractions": list(FRACTIONS), "images": IMAGES},
        "quantization_curve": {"schemes": ["per_channel"], "bits": [8, 2], "images": IMAGES},
    }
    assignment = load(str(quick_hw2(tmp_path_factory.mktemp("assignment"), evaluators=curves)), PLUGINS)
    (result,) = hand_ins.graded(assignment, [folder], sandbox_called("auto"), jobs=1).values()
    examples = load_examples(assignment, "test", 28, PLUGINS.datasets)
    chosen = torch.arange(IMAGES) * len(examples.labels) // IMAGES
    pixels = (examples.images.pixels[chosen].float() / 255 - 0.5) / 0.5
    return result, network, pixels.expand(-1, 3, -1, -1), torch.from_numpy(examples.labels)[chosen]


def accuracy(network: nn.Module, pixels: torch.Tensor, labels: torch.Tensor) -> float:
    with torch.inference_mode():
        return float((network(pixels).argmax(1) == labels).double().mean())


def test_the_points_are_those_of_the_network_pruned_here(graded):
    result, network, pixels, labels = graded
    assert (result.status, result.reason) == ("graded", None)
    (line,) = next(curve for curve in result.curves if curve.name == "pruning").series
    assert line.points[0][1] == pytest.approx(accuracy(network, pixels, labels), abs=ONE_IMAGE)
    for fraction, (x, y) in zip(FRACTIONS, line.points[1:], strict=True):
        copy = deepcopy(network)
        layers = [copy.conv, copy.fc]
        prune.global_unstructured([(each, "weight") for each in layers], prune.L1Unstructured, amount=fraction)
        left = sum(int((each.weight != 0).sum()) for each in layers) + 8 + 10 + 8  # biases; bn.bias is zero
        assert x == left
        # One image may lie between two classes: convolutions round differently in another memory format.
        assert y == pytest.approx(accuracy(copy, pixels, labels), abs=ONE_IMAGE)


def test_metrics_and_curves_reach_the_result(graded):
    result = graded[0]
    assert {"pruning_auc", "compression_within_1pp", "compression_within_2pp"} <= result.metrics.keys()
    written = json.loads(result.to_json())
    assert [each["name"] for each in written["curves"]] == ["pruning", "quantization"]
    assert written["curves"][0]["series"][0].keys() == {"label", "points", "low", "high", "sparsity", "bytes", "macs"}
    assert written["curves"][1]["series"][0]["bits"] == [32, 16, 8, 2]
