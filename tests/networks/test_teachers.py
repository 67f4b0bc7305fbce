"""The assignment's own network: run in the sandbox, once per size, and no reason for anyone to go without a grade."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from builders import SIZE
from hand_ins import HONEST, PLUGINS, graded, hand_in, linear, sandbox_called, small_assignment
from torch import nn

from harness.data.images import load_examples
from harness.networks import student
from harness.values.rules import TeacherRules

pytestmark = pytest.mark.sandbox
BIG = """
from torch import nn

def big(width):
    return nn.Sequential(nn.Flatten(), nn.Linear(192, width), nn.ReLU(), nn.Linear(width, 4))
"""


def taught(folder: Path, **changes: object):
    assignment = small_assignment(folder / "assignment", ["accuracy", "compare"])
    (folder / "assignment" / "large").mkdir()
    (folder / "assignment" / "large" / "net.py").write_text(BIG)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 16), nn.ReLU(), nn.Linear(16, 4)).eval()
    torch.save(network.state_dict(), folder / "assignment" / "large" / "w.pt")
    rules = {
        "path": "large",
        "source": "net.py",
        "weights": "w.pt",
        "entry_point": "big",
        "model_arguments": {"width": 16},
    }
    teacher = TeacherRules.model_validate(rules | changes)
    return replace(assignment, rules=assignment.rules.model_copy(update={"teacher": teacher})), network


def test_it_is_measured_once_for_the_class(tmp_path, monkeypatch):
    assignment, network = taught(tmp_path)
    opened = []
    plain = student.SandboxedStudent.open
    monkeypatch.setattr(student.SandboxedStudent, "open", lambda self: opened.append(self.submission.id) or plain(self))
    paths = [hand_in(tmp_path / name, HONEST, linear(seed).state_dict()) for seed, name in enumerate("ab")]
    results = graded(assignment, paths, sandbox_called("none"), jobs=2)
    assert sorted(opened) == ["a", "b", "teacher"]
    examples = load_examples(assignment, "test", SIZE, PLUGINS.datasets)
    with torch.inference_mode():
        right = network((examples.images.pixels.float() / 255 - 0.5) / 0.5).argmax(1).numpy() == examples.labels
    for result in results.values():
        assert result.status == "graded"
        assert result.metrics["teacher_accuracy"].value == right.mean()
        (table,) = result.tables
        assert [(row.label, row.cells[0].value) for row in table.rows] == [("teacher", 3156), ("as handed in", 772)]
        assert result.metrics["difference_to_teacher"].value == round(
            result.metrics["accuracy"].value - right.mean(), 9
        )


def test_a_teacher_that_cannot_be_used_costs_the_comparison_only(tmp_path):
    path = hand_in(tmp_path / "one")
    for changes, reason in (
        ({"weights": "gone.pt"}, "there is no file"),
        ({"model_arguments": {"width": 3}}, "do not fit"),
        ({"entry_point": "small"}, "small"),
    ):
        (tmp_path / next(iter(changes))).mkdir()
        assignment, _ = taught(tmp_path / next(iter(changes)), **changes)
        result = graded(assignment, [path], sandbox_called("none"))["one"]
        assert result.status == "graded"
        (check,) = [each for each in result.checks if each.name == "compare"]
        assert check.verdict == "could_not_check"
        assert "the assignment's teacher cannot be used" in check.reason
        assert reason in check.reason
