"""How long a class takes that has been graded: `grade` without changes, and the board under other rules.

    python benchmarks/unchanged_class.py [--students 1000]

One hand-in is graded; the others are copies of it, entered into the store as it was. Printed are seconds of whole
commands, and the ratio of the board under changed points and limits to the board as it was graded.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

import tomli_w

from harness.assignment.loading import load
from harness.assignment.shipped import fixtures
from harness.data.data_sets import DataSets
from harness.grading.environment import environment
from harness.grading.run import Run
from harness.plugins import Plugins
from harness.sandbox import choose
from harness.store.store import Store
from harness.submission.discovery import discover

REPOSITORY = Path(__file__).parents[1]
ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--students", type=int, default=1000)
    students = parser.parse_args().students
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rules, other = _assignments(folder)
        _graded_class(folder, rules, students)
        grade = _fastest(folder, "grade", str(rules), "class")
        board = _fastest(folder, "leaderboard", str(rules))
        changed = _fastest(folder, "leaderboard", str(other))
    print(f"{students:,} students, fastest of {ROUNDS}")
    print(f"grade, nothing changed   {grade:.2f} s")
    print(f"leaderboard              {board:.2f} s")
    print(f"leaderboard, other rules {changed:.2f} s ({changed / board:.2f} x)")


def _assignments(folder: Path) -> tuple[Path, Path]:
    """NYCU's homework, and the same with other points and another limit."""
    import tomllib

    tables = tomllib.loads((fixtures() / "assignments" / "nycu-ds2023-hw2.toml").read_text(encoding="utf-8"))
    tables["data"]["test"]["path"] = (fixtures() / "data" / "fashion-mnist-test").as_posix()
    rules, other = folder / "rules.toml", folder / "other.toml"
    rules.write_text(tomli_w.dumps(tables), encoding="utf-8")
    tables["rubric"]["points"][0]["points"] = 40
    tables["evaluators"]["parameter_limit"]["limit"] = 96_000
    other.write_text(tomli_w.dumps(tables), encoding="utf-8")
    return rules, other


def _graded_class(folder: Path, rules: Path, students: int) -> None:
    classroom, plugins = folder / "class", Plugins.installed()
    classroom.mkdir()
    shutil.copytree(REPOSITORY / "submissions" / "nycu-ds2023-hw2" / "seed-001", classroom / "0000")
    _command(folder, "grade", str(rules), "class")
    for number in range(1, students):
        shutil.copytree(classroom / "0000", classroom / f"{number:04}")
    store, assignment = Store.open(f"sqlite:///{folder / 'harness.db'}"), load(str(rules), plugins)
    sandbox, hand_ins = choose("auto"), discover([classroom])
    images = DataSets(assignment, plugins, "instructor")
    run = Run(assignment, plugins, sandbox, hand_ins, images, store, environment(sandbox.name), 1)
    with sqlite3.connect(folder / "harness.db") as connection:
        connection.row_factory = sqlite3.Row
        (row,) = connection.execute("SELECT * FROM harness_attempts").fetchall()
        for hand_in in hand_ins[1:]:
            copy = {**dict(row), "submission": hand_in.id, "signature": run.signature(hand_in)}
            copy["result"] = copy["result"].replace('"submission":"0000"', f'"submission":"{hand_in.id}"')
            del copy["number"]
            places = ", ".join("?" * len(copy))
            connection.execute(
                f"INSERT INTO harness_attempts ({', '.join(copy)}) VALUES ({places})", tuple(copy.values())
            )
    store.close()


def _fastest(folder: Path, *command: str) -> float:
    return min(_command(folder, *command) for _ in range(ROUNDS))


def _command(folder: Path, *command: str) -> float:
    started = time.perf_counter()
    subprocess.run([shutil.which("harness") or "harness", *command], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
