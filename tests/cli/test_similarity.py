"""`harness similarity`: from the weights that grading kept, for the instructor, and never a verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import torch
from cli_fakes import HW, FakeGrading
from click.testing import Result as Run
from result_fakes import ENVIRONMENT, result

from harness.assignment.loading import load
from harness.grading.class_evaluation import ClassReport
from harness.plugins import Plugins
from harness.store.store import Store
from harness.store.weights import packed
from harness.values.results import AssignmentInfo

Harness = Callable[..., Run]
STORE = "sqlite:///harness.db"


def weights(folder: Path, seed: int, change: float = 0.0) -> bytes:
    torch.manual_seed(seed)
    state = {"a.weight": torch.randn(8, 3, 3, 3), "b.weight": torch.randn(10, 72)}
    file = folder / "weights.pt"
    file.write_bytes(f"{seed} {change}".encode())
    data = packed({name: each + change * torch.randn(each.shape) for name, each in state.items()}, file)
    assert data is not None
    return data


@pytest.fixture
def info() -> AssignmentInfo:
    return load(HW, Plugins.installed(), needs_data=False).info


@pytest.fixture
def graded(harness: Harness, tmp_path: Path, info: AssignmentInfo) -> Harness:
    kept = {
        "alice": weights(tmp_path, 1),
        "bob": weights(tmp_path, 2),
        "eve\x1b[2J": weights(tmp_path, 1, 0.01),
        "carol": None,
    }
    with closing(Store.open(STORE)) as store:
        for name, data in kept.items():
            store.add(info, ENVIRONMENT, result(name, predictions=(1, 2, 3)), data)
        store.add(info, ENVIRONMENT, result("mallory", status="crashed", reason="it crashed"))
    return harness


def test_pairs_are_listed_with_a_paragraph(graded: Harness) -> None:
    run = graded("similarity", HW)
    assert run.exit_code == 0, run.output
    text = " ".join(run.stdout.split())
    assert "'alice' and 'eve' resemble each other by 1.00" in text
    assert "3 submissions; 3 of their pairs" in text
    assert "not compared, no weights kept: carol" in text
    assert "ask both how they trained" in text
    assert "bob" not in text
    assert "\x1b" not in run.stdout


def test_json_is_all_that_goes_to_stdout(graded: Harness) -> None:
    run = graded("similarity", HW, "--json", "-")
    report = ClassReport.model_validate_json(run.stdout)
    (finding,) = report.comparisons["similarity"].findings
    assert set(finding.submissions) == {"alice", "eve\x1b[2J"}
    assert report.compared == ("alice", "bob", "eve\x1b[2J")
    assert report.not_kept == ("carol",)
    assert run.stdout.isascii()
    assert graded("similarity", HW, "--json", "list.json").exit_code == 0
    assert json.loads(Path("list.json").read_text(encoding="utf-8")) == json.loads(run.stdout)


def test_a_class_without_kept_weights_is_told_how(harness: Harness, fake: FakeGrading) -> None:
    assert harness("grade", HW, "class").exit_code == 0
    run = harness("similarity", HW)
    assert run.exit_code == 2
    assert "add --fresh" in run.stderr


def test_an_assignment_that_compares_nothing_is_told_how(graded: Harness) -> None:
    run = graded("similarity", "ntu-ml2020-hw7")
    assert run.exit_code == 2
    assert "write [class_evaluators.similarity] into" in run.stderr


def test_what_is_compared_makes_no_result_stale(info: AssignmentInfo, tmp_path: Path) -> None:
    source = load(HW, Plugins.installed(), needs_data=False).source.read_text(encoding="utf-8")
    other = tmp_path / "other.toml"
    other.write_text(source.replace("[class_evaluators.similarity]", "[class_evaluators.similarity]\nmost = 7"))
    changed = load(str(other), Plugins.installed(), needs_data=False)
    assert changed.class_options["similarity"].most == 7
    assert changed.digest == info.digest
