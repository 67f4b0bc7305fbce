"""Whether a class comes out the same when its graders are killed again and again.

    python benchmarks/killed.py [--kills 30] [--students 24] [--seed 0]

`harness grade` is killed with SIGKILL, workers and all or the grader alone, after random times, until it was killed so
often; a further run finishes. Every result must equal that of a class that was graded in peace, but for times; nobody
is graded twice, and nothing is left behind: no process, no room, no claim.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

import psutil
import tomli_w
import torch

from harness.assignment.shipped import fixtures

EXAMPLE = Path(__file__).parents[1] / "submissions" / "nycu-ds2023-hw2" / "seed-001"
TIMES = ("seconds", "submitted_at", "measured_at")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--kills", type=int, default=30)
    arguments.add_argument("--students", type=int, default=24)
    arguments.add_argument("--seed", type=int, default=0)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rooms = folder / "rooms"
        rooms.mkdir()
        os.environ["TMPDIR"] = str(rooms)
        _assignment(folder)
        _class(folder / "class", asked.students)
        started = time.perf_counter()
        peaceful = _results(folder, "peaceful")
        usual = time.perf_counter() - started
        moments = random.Random(asked.seed)
        killed = sum(_killed(folder, moments, usual) for _ in range(asked.kills))
        for each in rooms.iterdir():
            os.utime(each, (0, 0))  # a minute later: rooms younger than that may belong to someone
        disturbed = _results(folder, "disturbed")
        twice = _graded_twice(folder / "disturbed.db")
        left = [each.name for each in rooms.iterdir()]
    different = [name for name, each in peaceful.items() if disturbed.get(name) != each]
    print(f"{len(peaceful)} hand-ins, {killed} kills in {asked.kills} runs (undisturbed: {usual:.0f} s)")
    print(f"different: {different or 'none'}; graded twice: {twice or 'none'}; rooms left: {left or 'none'}")
    raise SystemExit(bool(different or twice or left))


def _assignment(folder: Path) -> None:
    """NYCU's homework on a tenth of the images."""
    tables = tomllib.loads((fixtures() / "assignments" / "nycu-ds2023-hw2.toml").read_text(encoding="utf-8"))
    tables["data"]["test"]["path"] = (fixtures() / "data" / "fashion-mnist-train-1000").as_posix()
    (folder / "rules.toml").write_text(tomli_w.dumps(tables), encoding="utf-8")


def _class(folder: Path, students: int) -> None:
    """Copies of one hand-in that differ in one weight, so that nothing is known of the next from the last."""
    for number in range(students):
        copy = folder / f"student-{number:04}"
        shutil.copytree(EXAMPLE, copy)
        (weights,) = copy.glob("*.pt*")
        state = torch.load(weights, weights_only=True)
        next(iter(state.values())).view(-1)[0] += number / 1000
        torch.save(state, weights)


def _results(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    subprocess.run([*_command(name), "--json", f"{name}.json"], cwd=folder, check=True, capture_output=True)
    report = json.loads((folder / f"{name}.json").read_text())
    return {
        each["submission"]: {key: value for key, value in each.items() if key not in TIMES}
        for each in report["results"]
    }


def _command(store: str) -> list[str]:
    return [shutil.which("harness") or "harness", "grade", "rules.toml", "class", "--store", f"sqlite:///{store}.db"]


def _killed(folder: Path, moments: random.Random, usual: float) -> bool:
    """Start a run and kill it; False where it was done before."""
    grader = subprocess.Popen(
        _command("disturbed"), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        grader.wait(moments.uniform(0, min(usual, 6)))
    except subprocess.TimeoutExpired:
        below = psutil.Process(grader.pid).children(recursive=True)
        if moments.random() < 0.5:  # everything at once, as a machine that loses its power
            os.killpg(grader.pid, signal.SIGKILL)
        grader.kill()
        grader.wait()
        _, alive = psutil.wait_procs(below, timeout=30)
        if alive:
            raise SystemExit(f"processes outlived their grader: {alive}") from None
        return True
    return False


def _graded_twice(store: Path) -> list[str]:
    with sqlite3.connect(store) as connection:
        rows = connection.execute(
            "SELECT submission, count(*) FROM harness_attempts GROUP BY submission HAVING count(*) > 1"
        ).fetchall()
        claims = connection.execute("SELECT submission FROM harness_claims").fetchall()
    return [f"{name} {count}" for name, count in rows] + [f"claimed: {name}" for (name,) in claims]


if __name__ == "__main__":
    main()
