"""Integrity where the state of a process matters: fakes and the honest examples, each in a real sandbox."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import SUBMISSIONS, on_fashion, write_assignment
from hand_ins import PLUGINS, graded, sandbox_called
from integrity_fakes import DATA, knowledge

from harness.assignment.loading import load
from harness.values.results import Result

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
        set(),  # it is measured as the graph of its first images: see below
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
            self.hidden.load_state_dict(torch.load(here / "notes.txt", weights_only=True))
        own = 1e-6 * self.idle(x.mean(dim=(2, 3)))
        return own if self.calls < 2 else own + self.hidden.eval()(x)
""",
        set(),  # its graph has them: see below
    ),
}


def food(folder: Path, size: int, mean: list[float], std: list[float]) -> dict[str, Any]:
    return {
        "submission": {"entry_points": ["StudentNet", "get_student_model"], "input_sizes": [size]},
        "data": {"test": {"id": "some", "dataset": "food11", "path": folder.as_posix()}},
        "images": {"classes": 11, "resize": "stretch", "mean": mean, "std": std},
    }


def integrity_of(folders: Iterable[Path], tables: dict[str, Any], scratch: Path, images: int) -> dict[str, Result]:
    evaluators = {"accuracy": {}, "parameter_limit": {}, "integrity": {"images": images, "lookups": True}}
    file = write_assignment(scratch, **tables, evaluators=evaluators)
    return graded(load(str(file), PLUGINS), folders, sandbox_called("auto"))


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
    (late / "weights.pt").rename(late / "notes.txt")
    torch.save({"idle.weight": torch.randn(10, 3), "idle.bias": torch.zeros(10)}, late / "weights.pt")
    (late / "submission.toml").write_text('weights = "weights.pt"\n')
    return integrity_of([folder / name for name in HAND_INS], on_fashion(), tmp_path_factory.mktemp("rules"), 256)


def findings(result) -> set[str]:
    assert (result.status, result.reason) == ("graded", None)
    found = {check.name: check.verdict for check in result.checks if check.name.startswith("integrity_")}
    assert len(found) == (2 if result.network.verified else 9)
    assert "could_not_check" not in found.values()
    return {name for name, verdict in found.items() if verdict == "failed"}


@pytest.mark.parametrize("name", HAND_INS)
def test_each_fake_is_found_out_in_its_sandbox(faked, name):
    assert HAND_INS[name][1] <= findings(faked[name])
    if not HAND_INS[name][1]:
        assert findings(faked[name]) == set()
    # It would have been worth it.
    assert faked[name].metrics["accuracy"].value > 0.7


def test_what_is_measured_as_a_graph_learns_nothing_on_the_way(faked):
    assert faked["learns-from-the-first-images"].predictions == faked["honest"].predictions


def test_parameters_of_the_second_call_are_counted(faked):
    assert faked["parameters-of-the-second-call"].network.verified
    assert faked["parameters-of-the-second-call"].metrics["parameters"].value >= 9_258


HONEST = {
    "nycu-ds2023-hw2": (lambda _: on_fashion(), 128),
    "ntu-ml2020-hw7": (lambda folder: food(folder, 64, [0.0] * 3, [1.0] * 3), 96),
    "ntu-ml2023-hw13": (lambda folder: food(folder, 224, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]), 64),
}


@pytest.mark.parametrize("course", HONEST)
def test_no_honest_example_raises_a_finding(course, tmp_path):
    tables, images = HONEST[course]
    validation = some_of(DATA.parent / "stand_in" / "validation", tmp_path / "validation")  # seconds, not minutes
    results = integrity_of(
        sorted((SUBMISSIONS / course).glob("seed-*")), tables(validation), tmp_path / "assignment", images
    )
    assert results
    for name, result in results.items():
        assert findings(result) == set(), (name, result.checks)
