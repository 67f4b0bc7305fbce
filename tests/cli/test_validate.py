"""`harness validate`: errors, warnings and the reference's score, each with its exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_fakes import HW, FakeGrading
from click.testing import Result as Run
from result_fakes import result

from harness.assignment.loading import load, shipped
from harness.plugins import Plugins

Harness = Callable[..., Run]


def written(*changes: tuple[str, str]) -> str:
    text = shipped()[HW].read_text(encoding="utf-8")
    data = load(HW, Plugins.installed()).data_paths["test"]
    for old, new in (("../data/fashion-mnist-test", str(data.resolve())), *changes):
        assert old in text
        text = text.replace(old, new, 1)
    Path("hw.toml").write_text(text, encoding="utf-8")
    return text


def test_a_good_assignment_has_no_mistakes(harness: Harness) -> None:
    run = harness("validate", HW)
    assert run.exit_code == 0, run.output
    assert "no mistakes, 0 warnings" in run.stdout
    assert "Points: 45 automatic, 30 by rank, 25 by hand" in run.stdout


def test_all_errors_are_told_with_their_lines(harness: Harness) -> None:
    text = written(("0.8389", "83.89"), ('baseline = "baseline"', 'baseline = "basline"'), ("[28]", "28"))
    run = harness("validate", "hw.toml", "--json", "-")
    assert run.exit_code == 2
    errors = {each["where"]: each for each in json.loads(run.stdout)["errors"]}
    lines = text.split("\n")
    assert "83.89" in lines[errors["baselines.baseline"]["line"] - 1]
    assert errors["baselines.baseline"]["what"].endswith("83.89 % is 0.8389")
    unknown = errors["rubric.points.0.baseline"]
    assert "basline" in lines[unknown["line"] - 1]
    assert unknown["row"] == 'points "accuracy baseline"'
    assert "valid list" in errors["submission.input_sizes"]["what"].replace("a list", "a valid list")
    assert "tuple" not in run.stdout + run.stderr
    assert 'points "accuracy baseline", rubric.points.0.baseline' in run.stderr
    assert "3 mistakes" in run.stderr


def test_warnings_are_no_errors(harness: Harness) -> None:
    written(("limit = 100_000", "limit = 9"))
    run = harness("validate", "hw.toml")
    assert run.exit_code == 0
    assert "warning: line" in run.stdout
    assert "no network can pass" in " ".join(run.stdout.split())


def test_data_that_does_not_fit_is_an_error(harness: Harness) -> None:
    written(("[28]", "[32]"))
    run = harness("validate", "hw.toml")
    assert run.exit_code == 2
    assert "28x28 pixels, not 32x32" in " ".join(run.stdout.split())


@pytest.mark.parametrize(("status", "code"), [("graded", 0), ("crashed", 1)])
def test_a_reference_solution_gets_its_score(harness: Harness, fake: FakeGrading, status: str, code: int) -> None:
    reason = None if status == "graded" else "it crashed"
    fake.outcomes["solution"] = result("solution", status=status, reason=reason, checks=())
    run = harness("validate", HW, "solution", "--json", "-")
    assert run.exit_code == code, run.output
    assert json.loads(run.stdout)["reference"]["status"] == status
    assert "Expected score" in run.stderr
    assert fake.graded == ["solution"]
