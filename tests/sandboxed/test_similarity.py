"""From hand-ins to the list of pairs: graded in a real sandbox, compared from the store alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from builders import on_fashion, write_assignment
from click.testing import CliRunner
from hand_ins import sandbox_called
from similarity_fakes import State, reordered, rounded, student

from harness.cli import main
from harness.store import weights as kept

NET = """
import torch.nn.functional as F
from torch import nn


class StudentNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.b = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.fc = nn.Linear(16 * 7 * 7, 10)

    def forward(self, x):
        return self.fc(F.relu(self.b(F.relu(self.bn(self.a(x))))).flatten(1))
"""


def hand_in(name: str, state: State, source: str = NET) -> None:
    folder = Path("class", name)
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(source)
    torch.save(state, folder / "weights.pt")


def run(*arguments: str):
    done = CliRunner().invoke(main, arguments, prog_name="harness")
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_assignment(tmp_path, id="quick", **on_fashion(), class_evaluators={"similarity": {}})
    sandbox_called("bwrap")
    return tmp_path


def pairs() -> dict[frozenset[str], str]:
    """Those whose weights are alike. Everybody's code is, as the test has one network for all."""
    report = json.loads(run("similarity", "quick.toml", "--json", "-").stdout)
    found = {
        frozenset(each["submissions"]): each["evidence"]["found"]
        for each in report["comparisons"]["similarity"]["findings"]
    }
    assert report["sources_not_kept"] == []
    return {pair: kind.removesuffix(", code") for pair, kind in found.items() if kind != "code"}


def test_a_class_is_compared_as_it_was_handed_in(folder: Path) -> None:
    hand_in("honest", student("plain", 1))
    hand_in("other", student("plain", 2))
    hand_in("reordered", reordered("plain", rounded(student("plain", 1)), 4))
    layers = {"self.a": "self.first", "self.bn": "self.norm", "self.b(": "self.second(", "self.b ": "self.second "}
    source = NET
    for old, new in layers.items():
        source = source.replace(old, new)
    names = {"a": "first", "bn": "norm", "b": "second", "fc": "fc"}
    renamed = {
        f"module.{names[name.split('.')[0]]}.{name.split('.')[1]}": each for name, each in student("plain", 2).items()
    }
    hand_in("renamed", renamed, source)
    run("grade", "quick.toml", "class")
    expected = {
        frozenset({"honest", "reordered"}): "reordered",
        frozenset({"other", "renamed"}): "same numbers",
    }
    assert pairs() == expected
    # Handed in again with weights of one's own: the list follows the newest attempt.
    torch.save(student("plain", 3), "class/reordered/weights.pt")
    run("grade", "quick.toml", "class")
    assert pairs() == {frozenset({"other", "renamed"}): "same numbers"}


def test_weights_that_are_too_many_are_not_kept_and_say_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MAX_ELEMENTS", 10)
    hand_in("large", student("plain", 1))
    done = run("grade", "quick.toml", "class", "--json", "-")
    (result,) = json.loads(done.stdout)["results"]
    assert result["status"] == "graded"
    assert any("too many to be kept" in note for note in result["notes"])
    report = json.loads(run("similarity", "quick.toml", "--json", "-").stdout)
    assert (report["compared"], report["not_kept"]) == (["large"], ["large"])
