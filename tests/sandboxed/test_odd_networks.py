"""Honest networks of odd makes: whatever cannot be measured of them is said, and they are graded all the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hand_ins import graded, hand_in, sandbox_called, small_assignment
from harness_curves.pruning import PruningOptions

from harness.assignment.loading import Assignment

METHODS = ("global_l1", "channels_l1", "channels_gamma")


def measuring(folder: Any, options: dict[str, Any]) -> Assignment:
    """Evaluators with these options, and training images to recalibrate on."""
    assignment = small_assignment(folder, ["accuracy", *options])
    data = assignment.rules.data
    rules = assignment.rules.model_copy(update={"data": {**data, "calibration": data["test"]}})
    paths = {**assignment.data_paths, "calibration": assignment.data_paths["test"]}
    return replace(assignment, rules=rules, data_paths=paths, options={**assignment.options, **options})


NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.fc = nn.Linear(8, 4)

    def features(self, x):
        return torch.relu(self.second(torch.relu(self.bn(self.conv(x)))))

    def forward(self, x):
        return self.fc(self.features(x).mean((2, 3)))
"""

CUT = {"channels by L1", "channels by gamma", "channels by L1, recalibrated", "channels by gamma, recalibrated"}
WHOLE = {"global L1", "global L1, recalibrated"}

ODD = {
    "tuple": (
        """
class StudentNet(Net):
    def forward(self, x):
        return super().forward(x), x
""",
        WHOLE | CUT,
    ),
    "dict": (
        """
class StudentNet(Net):
    def forward(self, x):
        return {"logits": super().forward(x)}
""",
        WHOLE | CUT,
    ),
    "tied": (
        """
class StudentNet(Net):
    def __init__(self):
        super().__init__()
        self.third = nn.Conv2d(8, 8, 3, padding=1)
        self.third.weight = self.second.weight

    def features(self, x):
        return self.third(super().features(x))
""",
        WHOLE,
    ),
    "lazy": (
        """
class StudentNet(Net):
    def __init__(self):
        super().__init__()
        self.fc = nn.LazyLinear(4)
""",
        WHOLE | CUT,
    ),
    "counts on its width": (
        """
class StudentNet(Net):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(288, 4)

    def forward(self, x):
        return self.fc(self.features(x).view(-1, 8, 36).flatten(1))
""",
        # Only the first layer has BatchNorm, so gamma does not touch the second, whose width is written down.
        WHOLE | {"channels by gamma", "channels by gamma, recalibrated"},
    ),
    "refuses channels_last": (
        """
class StudentNet(Net):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(288, 4)

    def forward(self, x):
        return self.fc(self.features(x).view(len(x), -1))
""",
        WHOLE | CUT,
    ),
    "compiled": (
        """
import warnings

def StudentNet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.trace(Net().eval(), torch.zeros(2, 3, 8, 8))
""",
        {"global L1"},
    ),
    "cannot be copied": (
        """
class StudentNet(Net):
    def forward(self, x):
        self.lock = __import__("threading").Lock()
        return super().forward(x)
""",
        WHOLE | CUT,
    ),
    "no gradients": (
        """
class StudentNet(Net):
    @torch.no_grad()
    def forward(self, x):
        return super().forward(x)
""",
        WHOLE,
    ),
    "only evaluates": (
        """
class StudentNet(Net):
    def forward(self, x):
        if self.bn.training:
            raise ValueError("not here")
        return super().forward(x)
""",
        WHOLE | CUT,
    ),
    "dies when it is cut": (
        """
class StudentNet(Net):
    def forward(self, x):
        if self.conv.out_channels < 8:
            __import__("os")._exit(3)
        return super().forward(x)
""",
        WHOLE,
    ),
}


def weights_of(source: str) -> dict[str, torch.Tensor]:
    scope: dict[str, Any] = {}
    exec(source, scope)
    torch.manual_seed(0)
    module = scope["StudentNet"]()
    with torch.no_grad():
        if "Lazy" in source:
            module(torch.zeros(2, 3, 8, 8))
    return module.state_dict()


@pytest.mark.parametrize("name", ODD)
def test_odd_networks_get_the_series_they_can(tmp_path, name):
    source, labels = ODD[name]
    options = PruningOptions(methods=METHODS, fractions=(0.5,), recalibrate=True)
    assignment = measuring(tmp_path / "assignment", {"pruning_curve": options})
    path = hand_in(tmp_path / "one", NET + source, weights_of(NET + source))
    result = graded(assignment, [path], sandbox_called("none"))["one"]
    assert (result.status, result.reason) == ("graded", None), result.printed
    (curve,) = result.curves
    assert {each.label for each in curve.series} == labels
    checks = [each for each in result.checks if each.name == "pruning_curve"]
    assert bool(checks) == (labels != WHOLE | CUT)
    assert all(each.verdict == "could_not_check" for each in checks)
