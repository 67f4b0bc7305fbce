"""`harness new workflow`: a file that GitHub takes, whose steps do what they say in a student's repository."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cli_fakes import HW, FakeGrading
from click.testing import Result as Run
from result_fakes import result

from harness.api import Check

Harness = Callable[..., Run]
FILE = Path(".github/workflows/classroom.yml")


def written(harness: Harness, *arguments: str) -> Any:
    run = harness("new", "workflow", *arguments)
    assert run.exit_code == 0, run.output
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


def test_it_has_the_names_that_classroom_looks_for(harness: Harness) -> None:
    """The README of classroom-resources/autograding-grading-reporter asks for these names and for one job."""
    found = written(harness, HW)
    assert found["name"] == "Autograding Tests"
    assert list(found["jobs"]) == ["run-autograding-tests"]
    assert found[True] == {"push": None, "workflow_dispatch": None}  # YAML 1.1 reads `on` as a truth value
    reporter = found["jobs"]["run-autograding-tests"]["steps"][-1]
    assert reporter["env"].keys() == {f"{reporter['with']['runners'].upper()}_RESULTS"}


def test_its_steps_run_in_a_repository(harness: Harness, tmp_path: Path) -> None:
    """The shell lines as GitHub runs them, with commands in the place of Python, pip and the harness that note them."""
    Path("hw with space.toml").write_text("", encoding="utf-8")
    steps = written(harness, "hw with space.toml", "--submission", "my work")["jobs"]["run-autograding-tests"]["steps"]
    home, log = tmp_path / "home", tmp_path / "log"
    (tmp_path / "bin").mkdir()
    fake = (
        f'#!{sys.executable}\nimport json, os, sys\nopen({str(log)!r}, "a").write(json.dumps(sys.argv[1:]) + "\\n")\n'
    )
    for file in (tmp_path / "bin/python", home / "harness/bin/pip", home / "harness/bin/harness"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(fake, encoding="utf-8")
        file.chmod(0o755)
    environment = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "HOME": str(home)}
    for step in steps:
        if "run" in step:
            subprocess.run(["bash", "-eo", "pipefail", "-c", step["run"]], check=True, env=environment)
    venv, torch, ours, check = (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines())
    assert venv == ["-m", "venv", f"{home}/harness"]
    assert torch[:3] == ["install", "torch", "torchvision"]
    assert torch[-1].endswith("/cpu")
    assert re.fullmatch(r"compress-harness==[\d.]+", ours[-1])
    assert check == ["check", "hw with space.toml", "my work", "--github"]


def test_a_check_on_github_writes_the_summary_and_the_points(
    harness: Harness, fake: FakeGrading, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = Check.failed("kd_loss", "<script>|\n# wrong", "use T²")
    fake.outcomes["alice"] = result("alice", checks=(hostile,))
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        Path(name).write_text("before\n", encoding="utf-8")
        monkeypatch.setenv(name, name)
    assert harness("check", HW, "class/alice", "--github").exit_code == 1
    summary = Path("GITHUB_STEP_SUMMARY").read_text(encoding="utf-8")
    assert summary.startswith("before\n# ")
    assert "| ✗ " in summary
    assert "<script>" not in summary
    assert not re.search(r"^# wrong", summary, re.MULTILINE)
    key, _, value = Path("GITHUB_OUTPUT").read_text(encoding="utf-8").removeprefix("before\n").strip().partition("=")
    found = json.loads(base64.b64decode(value))
    assert (key, found["version"], found["status"]) == ("result", 1, "fail")
    assert [(each["name"], each["score"]) for each in found["tests"]] == [
        (line.name, line.points) for line in fake.outcomes["alice"].points
    ]


def test_elsewhere_github_is_a_usage_error(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    run = harness("check", HW, "class/alice", "--github")
    assert (run.exit_code, "no step of GitHub Actions" in run.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nycu-ds2023-hw3",), "did you mean 'nycu-ds2023-hw2'?"),
        ((HW, "--submission", "a: b"), "YAML"),
        ((HW, "--submission", "${{ x }}"), "cannot stand in a workflow"),
        ((HW, "--out", "class/alice"), "is there already"),
    ],
)
def test_what_cannot_be_written_is_said(harness: Harness, arguments: tuple[str, ...], message: str) -> None:
    run = harness("new", "workflow", *arguments)
    assert (run.exit_code, message in run.stderr) == (2, True), run.output
