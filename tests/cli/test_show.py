"""`harness show`: all that a student needs to know, from the file alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_fakes import HW
from click.testing import Result as Run

from harness.assignment.loading import shipped

Harness = Callable[..., Run]


def test_it_says_what_to_hand_in_and_what_it_is_worth(harness: Harness) -> None:
    run = harness("show", HW)
    assert run.exit_code == 0, run.output
    for said in (
        "StudentNet or get_student_model",
        "float32 [N, 3, 28, 28], logits [N, 10]",
        "mean 0.5 and std 0.5",
        "parameters: at most 100,000",
        "0 in all unless parameter_limit passes",
        "45 accuracy baseline: accuracy at least 83.89 %",
        "up to 30 private rank: by rank in accuracy, from first to last",
        "100 together",
        f"harness check {HW} FOLDER",
    ):
        assert said in run.stdout, said


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_assignment_is_told_in_json_too(harness: Harness, name: str) -> None:
    told = json.loads(harness("show", name, "--json", "-").stdout)
    assert told["assignment"] == name
    assert {"hand in", "input", "points", "attempts", "checked"} <= told.keys()


def test_the_deadline_is_told_by_the_assignments_clocks(harness: Harness) -> None:
    text = shipped()[HW].read_text(encoding="utf-8")
    late = '\n[rubric.late]\ndue = "2027-01-31T23:59:00+08:00"\npercent_per_day = 10\nmost_percent = 50\n'
    Path("hw.toml").write_text(text + late, encoding="utf-8")
    told = json.loads(harness("show", "hw.toml", "--json", "-").stdout)
    assert told["deadline"] == [
        "2027-01-31 23:59 UTC+08:00",
        "late: 10 % of the score for each day that has begun, at most 50 %",
    ]


def test_a_stub_is_written_once(harness: Harness) -> None:
    assert harness("show", HW, "--stub", "model.py").exit_code == 0
    source = Path("model.py").read_text(encoding="utf-8")
    compile(source, "model.py", "exec")
    assert "class StudentNet(nn.Module)" in source
    again = harness("show", HW, "--stub", "model.py")
    assert again.exit_code == 2
    assert "is there already" in again.stderr
    assert re.search(r"model\.py", again.stderr)
