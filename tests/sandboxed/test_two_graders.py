"""Two graders of one class and a board from a third process, on a real PostgreSQL server."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

from builders import limits, noise, write_assignment, write_idx
from hand_ins import IMAGES, hand_in, linear, sandbox_called
from postgresql import Cluster
from sqlalchemy import NullPool, create_engine, text

HARNESS = Path(sys.executable).with_name("harness")
STUDENTS = [f"s{number}" for number in range(4)]


def test_they_share_the_work_and_the_board_grows(cluster: Cluster, tmp_path: Path) -> None:
    sandbox_called("auto")
    write_idx(tmp_path / "data", *noise(IMAGES))
    assignment = write_assignment(tmp_path, evaluators={"accuracy": {}}, limits=limits(60))
    for number, name in enumerate(STUDENTS):
        hand_in(tmp_path / "class" / name, state=linear(number).state_dict())
    url = cluster.url()
    grade = [HARNESS, "grade", assignment, tmp_path / "class", "--store", url, "--jobs", "1", "--json"]
    graders = [subprocess.Popen([*grade, tmp_path / f"{name}.json"], stdout=subprocess.DEVNULL) for name in ("a", "b")]
    ranked = [0]
    while any(each.poll() is None for each in graders):
        ranked.append(standings(assignment, url))
        time.sleep(0.5)
    assert [each.returncode for each in graders] == [0, 0]
    assert ranked == sorted(ranked)
    assert standings(assignment, url) == len(STUDENTS)

    with closing(create_engine(url, poolclass=NullPool).connect()) as store:
        attempts = Counter(store.scalars(text("SELECT submission FROM harness_attempts")))
    assert attempts == dict.fromkeys(STUDENTS, 1)
    results = [json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))["results"] for name in ("a", "b")]
    assert sorted(each["submission"] for each in results[0]) == STUDENTS
    assert results[0] == results[1]


def standings(assignment: Path, url: str) -> int:
    """How many are ranked, as another process sees it."""
    done = subprocess.run(
        [HARNESS, "leaderboard", assignment, "--store", url, "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    if "holds no results" in done.stderr:
        return 0
    assert done.returncode == 0, done.stderr
    return len(json.loads(done.stdout)["standings"])
