"""The autograder for Gradescope, run as its container runs it: a copy of /autograder, and no network but what is here.

Only setup.sh is not run: in its place stands this environment, which has the harness already.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import messy
import pytest
from builders import limits
from hand_ins import sandbox_called

FIELDS = {
    *("score", "execution_time", "output", "output_format", "test_output_format", "visibility", "stdout_visibility"),
    *("extra_data", "tests", "leaderboard"),
}
TEST_FIELDS = {"score", "max_score", "status", "name", "number", "output", "output_format", "tags", "visibility"}
HOSTILE = (
    messy.HEAD
    + """
import json, os
for folder in ("../results", "/autograder/results", os.environ.get("AUTOGRADER", "/autograder") + "/results", RESULTS):
    try:
        os.makedirs(folder, exist_ok=True)
        open(folder + "/results.json", "w").write(json.dumps({"score": 1000}))
    except OSError:
        pass
"""
    + messy.NET
)
SLOW = messy.HEAD + messy.NET.replace("return self.fc", "\n        while True: pass\n        return self.fc")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip's content, as Gradescope unpacks it."""
    sandbox_called("auto")
    folder = tmp_path_factory.mktemp("autograder")
    assignment = messy.write_messy_assignment(folder / "assignment", limits={**limits(3), "import_seconds": 60})
    command = ["export", assignment, "--to", "gradescope-autograder", "--out", folder / "autograder.zip"]
    subprocess.run([Path(sys.executable).with_name("harness"), *command], check=True, capture_output=True)
    with zipfile.ZipFile(folder / "autograder.zip") as archive:
        archive.extractall(folder / "source")
        modes = {each.filename: each.external_attr >> 16 & 0o111 for each in archive.infolist()}
    assert {name for name, mode in modes.items() if mode} == {"setup.sh", "run_autograder"}
    subprocess.run(["bash", "-n", folder / "source" / "setup.sh"], check=True)
    return folder / "source"


def run(source: Path, root: Path, code: str) -> tuple[subprocess.CompletedProcess[str], Path]:
    submission = root / "submission"
    submission.mkdir(parents=True)
    (root / "results").mkdir()
    (root / "source").symlink_to(source)
    (submission / "model.py").write_text(code.replace("RESULTS", repr(str(root / "results"))), encoding="utf-8")
    (submission / "weights.pt").write_bytes(messy.weights())
    environment = {**os.environ, "HARNESS_PYTHON": sys.executable, "AUTOGRADER": str(root)}
    done = subprocess.run(
        ["bash", source / "run_autograder"],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        cwd=root,
        timeout=170,
    )
    return done, root / "results" / "results.json"


def checked(done: subprocess.CompletedProcess[str], file: Path) -> dict[str, Any]:
    """results.json, held to the fields that Gradescope documents."""
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    assert found.keys() <= FIELDS
    assert found["visibility"] in {"hidden", "after_due_date", "after_published", "visible"}
    for test in found["tests"]:
        assert test.keys() <= TEST_FIELDS
        assert test.get("status", "passed") in {"passed", "failed"}
        assert "status" in test or "score" in test or "could not be checked" in test["name"]
    assert {each["order"] for each in found.get("leaderboard", ())} <= {"asc", "desc"}
    return found


def test_a_hostile_submission_gets_the_points_of_its_network(source: Path, tmp_path: Path) -> None:
    found = checked(*run(source, tmp_path / "hostile", HOSTILE))
    assert found["score"] == 1
    assert [(each["name"], each["score"]) for each in found["tests"] if "score" in each] == [("size", 1)]
    assert found["leaderboard"][0]["name"] == "accuracy (%)"
    assert found["output"].startswith("# messy\n")


def test_a_slow_submission_is_stopped_and_told(source: Path, tmp_path: Path) -> None:
    slow = checked(*run(source, tmp_path / "slow", SLOW))
    assert slow["score"] == 0
    assert slow["extra_data"]["status"] == "timed_out"


def test_where_the_time_runs_out_the_student_is_told(source: Path, tmp_path: Path) -> None:
    settings = json.loads((source / "autograder.json").read_text(encoding="utf-8"))
    hurried = tmp_path / "source"
    hurried.mkdir()
    for each in source.iterdir():
        (hurried / each.name).symlink_to(each)
    (hurried / "autograder.json").unlink()
    (hurried / "autograder.json").write_text(json.dumps({**settings, "limit_seconds": 0.2}), encoding="utf-8")
    found = checked(*run(hurried, tmp_path / "root", messy.HONEST))
    assert "longer than" in found["output"]
    assert "no verdict" in found["output"]
    assert found["extra_data"] == {"status": "not_checked"}
    assert {each["name"] for each in found["tests"]} == {"time (could not be checked)"}
