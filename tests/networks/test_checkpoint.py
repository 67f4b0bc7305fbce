"""Checkpoints beside the graded weights: decoded in the sandbox, measured, and each only responsible for itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from builders import SIZE
from hand_ins import IMAGES, PLUGINS, graded, hand_in, sandbox_called, small_assignment
from harness_curves.measured import MeasuredOptions
from torch import nn
from torch.nn.utils import prune

from harness.data.images import load_examples

pytestmark = pytest.mark.sandbox
NET = """
import torch
from torch import nn

class StudentNet(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)
        self.fc = nn.Linear(width, 4)

    def forward(self, x):
        return self.fc(torch.relu(self.conv(x)).mean((2, 3)))

class Other(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(192, 4)

    def forward(self, x):
        return self.fc(x.flatten(1))
"""

SETTINGS = """
[checkpoints]
"rate 0.9" = ["points/pruned.pt", { file = "points/narrow.pt", model_arguments = { width = 3 } }]
"broken" = ["points/narrow.pt", "points/nan.pt", "points/rubbish.pt", "points/masked.pt"]
"other" = [{ file = "other.pt", entry_point = "Other" }, { file = "other.pt", entry_point = "Nobody" }]
"""


def made(name: str = "StudentNet", seed: int = 0, **arguments) -> nn.Module:
    scope: dict[str, type[nn.Module]] = {}
    exec(NET, scope)
    torch.manual_seed(seed)
    return scope[name](**arguments).eval()


def handed_in(folder: Path) -> Path:
    path = hand_in(folder, NET, made().state_dict())
    (path / "submission.toml").write_text(SETTINGS)
    (path / "points").mkdir()
    pruned = made(seed=1)
    prune.l1_unstructured(pruned.conv, "weight", amount=100)
    torch.save(pruned.state_dict(), path / "points" / "masked.pt")
    prune.remove(pruned.conv, "weight")
    torch.save(pruned.state_dict(), path / "points" / "pruned.pt")
    torch.save(made(seed=2, width=3).state_dict(), path / "points" / "narrow.pt")
    broken = made()
    broken.conv.bias.data[0] = float("nan")
    torch.save(broken.state_dict(), path / "points" / "nan.pt")
    (path / "points" / "rubbish.pt").write_bytes(b"\x80\x02rubbish")
    torch.save(made("Other").state_dict(), path / "other.pt")
    return path


def accuracy(module: nn.Module, examples) -> float:
    with torch.inference_mode():
        predicted = module((examples.images.pixels.float() / 255 - 0.5) / 0.5).argmax(1).numpy()
    return float((predicted == examples.labels).mean())


@pytest.mark.parametrize("sandbox", ["bwrap", "none"])
def test_good_checkpoints_are_measured_and_bad_ones_named(tmp_path, sandbox):
    assignment = small_assignment(tmp_path / "assignment", ["accuracy", "measured_curve"])
    result = graded(assignment, [handed_in(tmp_path / "one")], sandbox_called(sandbox))["one"]
    assert (result.status, result.reason) == ("graded", None)
    examples = load_examples(assignment, "test", SIZE, PLUGINS.datasets)
    (curve,) = result.curves
    rate, broken, other = curve.series
    pruned = made(seed=1)
    prune.l1_unstructured(pruned.conv, "weight", amount=100)
    whole = 8 * 27 + 8 + 8 * 4 + 4
    one = 1.01 / IMAGES
    assert rate.label == "rate 0.9"
    assert rate.points[0] == (whole - 100, pytest.approx(accuracy(pruned, examples), abs=one))
    assert rate.points[1] == (3 * 27 + 3 + 12 + 4, pytest.approx(accuracy(made(seed=2, width=3), examples), abs=one))
    assert rate.macs == (36 * 8 * 27 + 32, 36 * 3 * 27 + 12)
    assert rate.bytes[1] == 400
    assert broken.points == (rate.points[0],)  # the mask is multiplied in, and not counted
    assert other.points == ((772, pytest.approx(accuracy(made("Other"), examples), abs=one)),)
    (check,) = [each for each in result.checks if each.name == "measured_curve"]
    assert check.verdict == "could_not_check"
    assert check.reason.startswith("of 8 checkpoints: points/narrow.pt: ")
    for said in ("NaN in 'conv.bias'", "points/rubbish.pt: ", "Nobody"):
        assert said in check.reason
    assert result.metrics["accuracy"].value == pytest.approx(accuracy(made(), examples), abs=one)


def test_without_checkpoints_the_student_learns_how_to_list_them(tmp_path):
    assignment = small_assignment(tmp_path / "assignment", ["accuracy", "measured_curve"])
    options = {**assignment.options, "measured_curve": MeasuredOptions(images=3)}
    path = hand_in(tmp_path / "one")
    result = graded(replace(assignment, options=options), [path], sandbox_called("none"))["one"]
    (check,) = [each for each in result.checks if each.name == "measured_curve"]
    assert check.verdict == "could_not_check"
    assert "[checkpoints]" in check.hint
    assert result.curves == ()


def test_no_more_checkpoints_than_the_assignment_pays_for(tmp_path):
    assignment = small_assignment(tmp_path / "assignment", ["accuracy", "measured_curve"])
    assignment = replace(assignment, options={"measured_curve": MeasuredOptions(most=1)})
    result = graded(assignment, [handed_in(tmp_path / "one")], sandbox_called("none"))["one"]
    (line,) = result.curves[0].series
    assert len(line.points) == 1
    assert result.checks[0].reason == "of 8 checkpoints: 7 more than the 1 that are measured"
