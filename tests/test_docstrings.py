"""The examples in docstrings run as they stand there, and public entry points have one."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import SUBMISSIONS, quick_hw2
from torch import nn

import harness
from harness.api import Images
from harness.networks.in_process import LiveNetwork
from harness.worker.model import Model

ROOT = Path(__file__).parent.parent
ENTRY_POINTS = {"Check.failed", "Evaluation", "Metric", "MetricSpec", "Network.logits", "Series", "check"}


def found() -> dict[str, doctest.DocTest]:
    files = [each for each in (ROOT / "harness").rglob("*.py") if ">>> " in each.read_text(encoding="utf-8")]
    modules = [import_module(".".join(each.relative_to(ROOT).with_suffix("").parts)) for each in sorted(files)]
    tests = [(module, each) for module in modules for each in doctest.DocTestFinder().find(module) if each.examples]
    return {each.name.removeprefix(f"{module.__name__}."): each for module, each in tests}


EXAMPLES = found()


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    """What examples use and do not define: a network of an evaluator's, two images, a student's model and loss."""
    model = Model(nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 4, 10)), (3, 4, 4))
    images = Images(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), 3, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    student: dict[str, Any] = {}
    exec((SUBMISSIONS / "nycu-ds2023-hw2" / "seed-001" / "model.py").read_text(encoding="utf-8"), student)
    return {
        "harness": harness,
        "network": LiveNetwork(model, model.module.state_dict(), 10),
        "images": images,
        "StudentNet": student["StudentNet"],
        "loss_fn_kd": student["loss_fn_kd"],
        "assignment": str(quick_hw2(tmp_path)),
    }


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_run(name: str, given: dict[str, Any]) -> None:
    example = EXAMPLES[name]
    example.globs.update(given)
    said: list[str] = []
    assert doctest.DocTestRunner().run(example, out=said.append).failed == 0, "".join(said)


def test_public_entry_points_have_an_example() -> None:
    assert set(EXAMPLES) >= ENTRY_POINTS
