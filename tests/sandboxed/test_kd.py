"""KD losses as hostile as student code can be, graded for real: each gets its own verdict and changes nothing else."""

import pytest
import torch
from builders import quick_hw2
from hand_ins import PLUGINS, graded, sandbox_called
from torch import nn

from harness.assignment.loading import load

NET = """
import os
import torch
import torch.nn as nn
import torch.nn.functional as F


class StudentNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2)
        self.fc = nn.Linear(4 * 13 * 13, 10)

    def forward(self, x):
        x = F.relu(self.conv(x))
        return self.fc(x.view(x.size(0), -1))

"""
RIGHT = """
def loss_fn_kd(outputs, labels, teacher_outputs, alpha, T):
    soft = F.kl_div(F.log_softmax(outputs / T, 1), F.softmax(teacher_outputs / T, 1), reduction="batchmean")
    return alpha * T * T * soft + (1 - alpha) * F.cross_entropy(outputs, labels)
"""
PATCHED = """
F.relu = lambda x: x * 0
F.kl_div = lambda *args, **kwargs: torch.tensor(0.0)
F.cross_entropy = lambda *args, **kwargs: torch.tensor(0.0)
nn.Module.__call__ = lambda self, *args: torch.zeros(len(args[0]), 10)
torch.Tensor.argmax = lambda self, *args, **kwargs: torch.zeros(len(self), dtype=torch.long)
"""

# name: (the source after the network, verdict of kd_loss, a phrase of its reason)
LOSSES = {
    "right": (RIGHT, "passed", "agree"),
    "endless-loop": (
        "def loss_fn_kd(outputs, labels, teacher_outputs, alpha, T):\n    while True: pass\n",
        "failed",
        "5 s",
    ),
    "exits": ("def loss_fn_kd(outputs, labels, teacher_outputs, alpha, T):\n    os._exit(0)\n", "failed", "ended"),
    "crashes": (
        "import ctypes\ndef loss_fn_kd(outputs, labels, teacher_outputs, alpha, T):\n    ctypes.string_at(0)\n",
        "failed",
        "SIGSEGV",
    ),
    "raises": (
        "def loss_fn_kd(outputs, labels, teacher_outputs, alpha, T):\n    return outputs @ labels\n",
        "failed",
        "line 19",
    ),
    "patched-inside": (
        RIGHT.replace("    soft =", "".join(f"    {line}\n" for line in PATCHED.split("\n") if line) + "    soft ="),
        "failed",
        "loss_fn_kd",
    ),
    "patched-at-import": (RIGHT + PATCHED, "passed", "agree"),
    "absent": ("", "failed", "no KD loss was found"),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("class")
    weights = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.Linear(676, 10)).state_dict()
    renamed = {name.replace("0.", "conv.").replace("1.", "fc."): each for name, each in weights.items()}
    for name, (source, _, _) in LOSSES.items():
        (folder / name).mkdir()
        (folder / name / "model.py").write_text(NET + source)
        torch.save(renamed, folder / name / "weights.pt")
    asked = {"kd_loss": {"required": True}}
    file = quick_hw2(tmp_path_factory.mktemp("assignment"), limits={"request_seconds": 5}, evaluators=asked)
    assignment = load(str(file), PLUGINS)
    return graded(assignment, [folder / name for name in LOSSES], sandbox_called("auto"))


@pytest.mark.parametrize("name", LOSSES)
def test_each_loss_gets_its_own_verdict(results, name):
    _, verdict, phrase = LOSSES[name]
    result = results[name]
    assert (result.status, result.reason) == ("graded", None)
    check = next(check for check in result.checks if check.name == "kd_loss")
    assert check.verdict == verdict
    assert phrase in check.reason


def test_no_loss_changes_anything_else(results):
    expected = results["right"]
    assert len(set(expected.predictions)) > 1
    for result in results.values():
        assert (result.metrics, result.predictions) == (expected.metrics, expected.predictions)
