"""Whether the thousandth hand-in costs what the tenth did, in time and in memory, through the whole command.

    python benchmarks/soak.py [--students 2000] [--images 64]

The class is one submission with other weights each time, so that nothing is known of any, on the first images of the
embedded test set. `harness grade` runs once, with a new store; for each tenth of the class stand seconds for each
hand-in, their ratio to the second tenth (the first has the start in it), and the memory of the grader (resident) and of
all processes it started (unique).
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sqlite3
import subprocess
import tempfile
import time
import tomllib
from pathlib import Path

import psutil
import tomli_w
from class_size import EVALUATORS, first_images
from executors import varied

from harness.assignment.shipped import fixtures

TENTHS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--students", type=int, default=2000)
    parser.add_argument("--images", type=int, default=64)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(asked.students):
            varied(folder / "class" / f"student-{number:05}", number)
        watched(folder, rules(folder, asked.images), asked.students)


def rules(folder: Path, images: int) -> Path:
    """NYCU's homework on the first images, with the evaluators that every contender of these benchmarks has."""
    tables = tomllib.loads((fixtures() / "assignments" / "nycu-ds2023-hw2.toml").read_text(encoding="utf-8"))
    tables["data"]["test"]["path"] = first_images(folder / "data", images).as_posix()
    tables["evaluators"] = {name: each for name, each in tables["evaluators"].items() if name in EVALUATORS}
    tables["rubric"]["points"] = [
        {"name": "right", "points": 10, "check": "kd_loss"},
        {"name": "small", "points": 10, "check": "parameter_limit"},
    ]
    written = folder / "rules.toml"
    written.write_text(tomli_w.dumps(tables), encoding="utf-8")
    return written


def watched(folder: Path, assignment: Path, students: int) -> None:
    words = [shutil.which("harness") or "harness", "grade", str(assignment), "class"]
    began, tenth, usual = time.perf_counter(), students // TENTHS, 0.0
    with (folder / "output").open("wb") as output:
        grading = subprocess.Popen(words, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        since, most = began, 0.0
        for number in range(1, TENTHS + 1):
            while grading.poll() is None and graded(folder) < number * tenth:
                most = max(most, resident(grading.pid))
                time.sleep(0.5)
            now = time.perf_counter()
            each, since = (now - since) / tenth, now
            usual = each if number == 2 else usual
            ratio = f"{each / usual:5.2f}" if usual else "     "
            print(f"{number * tenth:6} graded: {each:.3f} s each {ratio}; {memory(grading.pid)}", flush=True)
        code = grading.wait()
    assert code == 0, (folder / "output").read_text(encoding="utf-8")[-2000:]
    size = sum(each.stat().st_size for each in folder.glob("harness.db*"))
    took = time.perf_counter() - began
    print(f"{students} in {took:.0f} s; grader at most {most:.0f} MiB, store {size / 2**20:.0f} MiB")


def graded(folder: Path) -> int:
    with (
        contextlib.suppress(sqlite3.OperationalError),
        contextlib.closing(sqlite3.connect(f"file:{folder / 'harness.db'}?mode=ro", uri=True)) as store,
    ):
        (count,) = store.execute("SELECT count(*) FROM harness_attempts").fetchone()
        return int(count)
    return 0


def resident(pid: int) -> float:
    with contextlib.suppress(psutil.Error):
        return float(psutil.Process(pid).memory_info().rss) / 2**20
    return 0.0


def memory(pid: int) -> str:
    started = 0.0
    with contextlib.suppress(psutil.Error):
        for each in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                started += each.memory_full_info().uss / 2**20
    return f"MiB {resident(pid):.0f} grader, {started:.0f} what it started"


if __name__ == "__main__":
    main()
