"""Integrity where the state of a process matters: fakes and the honest examples, each in a real sandbox."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch
from integrity_fakes import DATA, knowledge

from harness.assignment import loading as assignment
from harness.errors import SandboxUnavailable
from harness.grading.grader import grade_all
from harness.plugins import Plugins
from harness.sandbox import choose
from harness.submission.discovery import discover

SUBMISSIONS = Path(__file__).parents[1] / "submissions"
NET = """
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.b = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.fc = nn.Linear(16 * 7 * 7, 10)

    def features(self, x):
        return F.relu(self.b(F.relu(self.bn(self.a(x))))).flatten(1)

    def forward(self, x):
        return self.fc(self.features(x))


"""

# name: (the source after the network, checks that must fail)
HAND_INS = {
    "honest": ("class StudentNet(Net): pass\n", set()),
    "state-between-batches": (
        """
SEEN = []

class StudentNet(Net):
    def forward(self, x):
        x = self.features(x)
        SEEN.append(x.mean(0))
        return self.fc(x + 0.1 * torch.stack(SEEN[-20:]).mean(0))
""",
        {"integrity_batch"},
    ),
    "learns-from-the-first-images": (
        """
SEEN = []

class StudentNet(Net):
    def forward(self, x):
        x = self.features(x)
        if sum(map(len, SEEN)) < 200:
            SEEN.append(x.clone())
            return self.fc(x)
        return self.fc(x - 0.5 * torch.cat(SEEN).mean(0))
""",
        {"integrity_batch", "integrity_sample"},
    ),
    "batchnorm-in-training-mode": (
        """
class StudentNet(Net):
    def forward(self, x):
        self.bn.train()
        return super().forward(x)
""",
        {"integrity_batch"},
    ),
    "adapts-its-statistics": (
        """
MEANS = []

class StudentNet(Net):
    def features(self, x):
        x = self.a(x)
        mean = x.mean((0, 2, 3))
        MEANS[:] = [0.99 * MEANS[0] + 0.01 * mean] if MEANS else [self.bn.running_mean.clone()]
        x = F.batch_norm(x, MEANS[0], self.bn.running_var, self.bn.weight, self.bn.bias)
        return F.relu(self.b(F.relu(x))).flatten(1)
""",
        {"integrity_batch"},
    ),
    "keeps-the-first-weights": (
        """
class Layer(nn.Linear):
    kept = None

    def _load_from_state_dict(self, state, prefix, *rest):
        super()._load_from_state_dict(state, prefix, *rest)
        self.known = Layer.kept = Layer.kept or (self.weight.detach().clone(), self.bias.detach().clone())

    def forward(self, x):
        return F.linear(x, *self.known) if self.kept else super().forward(x)

class StudentNet(Net):
    whole = None

    def __init__(self):
        super().__init__()
        self.fc = Layer(784, 10)

    def load_state_dict(self, *args, **kwargs):
        return None

    def _load_from_state_dict(self, state, *rest):
        StudentNet.whole = StudentNet.whole or {name: each.clone() for name, each in state.items()}

    def features(self, x):
        if self.whole:
            with torch.no_grad():
                for name, each in self.state_dict().items():
                    each.copy_(self.whole[name])
        return super().features(x)
""",
        {"integrity_scrub"},
    ),
    "parameters-of-the-second-call": (
        """
import pathlib

class StudentNet(nn.Module):
    calls = 0

    def __init__(self):
        super().__init__()
        self.idle = nn.Linear(3, 10)

    def forward(self, x):
        self.calls += 1
        if self.calls == 2:
            self.hidden = Net()
            here = pathlib.Path(__file__).parent
            self.hidden.load_state_dict(torch.load(here / "notes.bin", weights_only=True))
        own = 1e-6 * self.idle(x.mean(dim=(2, 3)))
        return own if self.calls < 2 else own + self.hidden.eval()(x)
""",
        {"integrity_scrub"},
    ),
}

RULES = """
schema_version = 1
id = "quick"
title = "Quick"
[submission]
entry_points = ["StudentNet", "get_student_model"]
input_sizes = {sizes}
[data.test]
id = "some"
dataset = "{dataset}"
path = "{path}"
[images]
classes = {classes}
channels = 3
resize = "{resize}"
mean = {mean}
std = {std}
[evaluators.accuracy]
[evaluators.parameter_limit]
[evaluators.integrity]
images = {images}
[[ranking]]
metric = "accuracy"
higher_is_better = true
"""
FASHION = {
    "sizes": [28], "dataset": "idx", "path": (DATA / "fashion-mnist-train-1000").as_posix(),
    "classes": 10, "resize": "none", "mean": [0.5] * 3, "std": [0.5] * 3,
}  # fmt: skip
FOOD = {
    "sizes": [64], "dataset": "food11", "path": (DATA.parent / "stand_in" / "validation").as_posix(),
    "classes": 11, "resize": "stretch", "mean": [0.0] * 3, "std": [1.0] * 3,
}  # fmt: skip
LARGE_FOOD = FOOD | {"sizes": [224], "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def graded(rules: dict[str, object], folder: Path, scratch: Path, images: int):
    plugins = Plugins.installed()
    file = scratch / "quick.toml"
    file.write_text(RULES.format(**rules, images=images), encoding="utf-8")
    try:
        sandbox = choose("auto")
    except SandboxUnavailable as reason:
        if os.environ.get("HARNESS_REQUIRE_ALL") == "1":
            raise
        pytest.skip(str(reason))
    results = grade_all(
        assignment.load(str(file), plugins),
        discover([folder], mode="class"),
        plugins=plugins,
        sandbox=sandbox,
        jobs=2,
    )
    return {result.submission: result for result in results}


def some_of(folder: Path, chosen: Path) -> Path:
    """Every sixth image of a folder."""
    chosen.mkdir()
    for each in sorted(folder.glob("*.jpg"))[::6]:
        shutil.copy(each, chosen)
    return chosen


@pytest.fixture(scope="module")
def faked(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("class")
    for name, (source, _) in HAND_INS.items():
        (folder / name).mkdir()
        (folder / name / "model.py").write_text(NET + source)
        torch.save(knowledge(), folder / name / "weights.pt")
    late = folder / "parameters-of-the-second-call"
    (late / "weights.pt").rename(late / "notes.bin")
    torch.save({"idle.weight": torch.randn(10, 3), "idle.bias": torch.zeros(10)}, late / "weights.pt")
    (late / "submission.toml").write_text('weights = "weights.pt"\n')
    return graded(FASHION, folder, tmp_path_factory.mktemp("rules"), 256)


def findings(result) -> set[str]:
    assert (result.status, result.reason) == ("graded", None)
    found = {check.name: check.verdict for check in result.checks if check.name.startswith("integrity_")}
    assert len(found) == 8
    assert "could_not_check" not in found.values()
    return {name for name, verdict in found.items() if verdict == "failed"}


@pytest.mark.parametrize("name", HAND_INS)
def test_each_fake_is_found_out_in_its_sandbox(faked, name):
    assert HAND_INS[name][1] <= findings(faked[name])
    if name == "honest":
        assert findings(faked[name]) == set()
    # It would have been worth it.
    assert faked[name].metrics["accuracy"].value > 0.7


@pytest.mark.parametrize(
    ("course", "rules", "images"),
    [
        ("nycu-ds2023-hw2", FASHION, 128),
        ("ntu-ml2020-hw7", FOOD, 96),
        ("ntu-ml2023-hw13", LARGE_FOOD, 64),
    ],
)
def test_no_honest_example_raises_a_finding(course, rules, images, tmp_path):
    honest = tmp_path / "honest"
    honest.mkdir()
    for each in sorted((SUBMISSIONS / course).glob("seed-*")):
        (honest / each.name).symlink_to(each)
    if rules["dataset"] == "food11":  # seconds, not minutes
        rules = rules | {"path": some_of(Path(rules["path"]), tmp_path / "validation").as_posix()}
    results = graded(rules, honest, tmp_path, images)
    assert results
    for name, result in results.items():
        assert findings(result) == set(), (name, result.checks)
