"""The sandbox's own promises, apart from any submission. What submissions try is in tests/hostile."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from hand_ins import HONEST, hand_in, opened, sandbox_called, small_assignment

from harness.errors import HarnessError, SandboxUnavailable, SubmissionError
from harness.sandbox import Sandbox, Usage, choose, selftest
from harness.sandbox.mother import Mother
from harness.sandbox.selftest import refuse_unless_it_holds
from harness.sandbox.syscalls import compiled
from harness.sandbox.walls import NoWall, Wall, readable_paths
from harness.sandbox.zygote import CannotEnter, Zygote
from harness.vocabulary import WALLS
from harness.worker.forbidden import FILTERED

LOCKED = [name for name in WALLS if name != "none"]
THREADS = """
import threading, time
for _ in range(20):
    threading.Thread(target=time.sleep, args=(9,)).start()
time.sleep(9)
"""
USAGE = Usage(memory_bytes=2**31, cpu_seconds=60, threads=64)


@pytest.mark.parametrize("name", LOCKED)
def test_a_worker_can_do_nothing_forbidden(name: str) -> None:
    assert selftest._attacks(sandbox_called(name)) == []


def test_the_self_test_can_fail() -> None:
    """Every attempt that needs no other user's rights is possible without a wall: so a wall is what stops it."""
    possible = set(selftest._attacks(choose("none")))
    assert possible >= FILTERED | {
        *("read a file outside", "list a folder outside", "write outside", "write to its own box"),
        *("connect over TCP", "connect to an abstract socket", "run a program"),
    }


def test_a_wall_with_a_hole_is_refused() -> None:
    class Hole(NoWall):
        name = "hole"

    sandbox = Sandbox(Hole())
    with pytest.raises(SandboxUnavailable, match="does not hold here: a worker could read a file outside"):
        refuse_unless_it_holds(sandbox)
    sandbox.close()


def test_without_the_filter_or_landlock_a_zygote_serves_one_room() -> None:
    wall = replace(sandbox_called("bwrap").wall, program=None, landlock=False)
    assert not wall.reusable
    sandbox = Sandbox(wall)
    refuse_unless_it_holds(sandbox)
    assert set(selftest._attacks(sandbox)) <= FILTERED
    with sandbox.box() as box:
        with box.worker(box.path, USAGE, threading.Event()):
            zygote = box._zygote
        assert zygote is not None
        assert zygote.alive
    assert not zygote.alive
    sandbox.close()


@pytest.mark.parametrize("name", WALLS)
def test_torch_is_imported_once_for_all_boxes(name: str) -> None:
    """Two zygotes of one mother; behind bubblewrap each is in namespaces of its own, which are not ours either."""
    sandbox = sandbox_called(name)
    with sandbox.box() as one, sandbox.box() as other:
        zygotes = [psutil.Process(each.start().pid) for each in (one, other)]
        mother = sandbox._mother
        assert mother is not None
        assert all(mother._process.pid in {parent.pid for parent in each.parents()} for each in zygotes)
        separate = 3 if sandbox.wall.namespaces else 1
        for kind in ("mnt", "pid", "net", "ipc"):
            seen = {Path(f"/proc/{pid}/ns/{kind}").readlink() for pid in ("self", *(each.pid for each in zygotes))}
            assert len(seen) == separate, kind


def test_a_zygote_behind_bubblewrap_has_no_right_left() -> None:
    with sandbox_called("bwrap").box() as box:
        status = Path(f"/proc/{box.start().pid}/status").read_text()
    for line in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert f"{line}:\t{0:016x}\n" in status
    assert "NoNewPrivs:\t1\n" in status


def test_where_entering_is_refused_the_mother_stands_inside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As with a bubblewrap that has the rights of root."""
    assignment = small_assignment(tmp_path / "assignment")
    sandbox = Sandbox(sandbox_called("bwrap").wall)
    plain = Zygote.__init__

    def refused(self: Zygote, mother: Mother, wall: Wall, box: Path, *, inside: bool = False) -> None:
        if not inside:
            raise CannotEnter("setns: Operation not permitted")
        plain(self, mother, wall, box, inside=inside)

    monkeypatch.setattr(Zygote, "__init__", refused)
    assert selftest._attacks(sandbox) == []
    with opened(hand_in(tmp_path / "honest", HONEST), assignment, sandbox) as student:
        assert student.facts.parameters
    sandbox.close()


@pytest.mark.parametrize("name", WALLS)
def test_a_zygote_that_died_is_replaced(name: str, tmp_path: Path) -> None:
    sandbox = sandbox_called(name)
    assignment = small_assignment(tmp_path / "assignment")
    with sandbox.box() as box:
        first = box.worker(box.path, USAGE, threading.Event())
        os.kill(box._zygote.pid, signal.SIGKILL)
        first.close()
        with box.worker(box.path, USAGE, threading.Event()) as second:
            assert second.alive
    with opened(hand_in(tmp_path / "honest", HONEST), assignment, sandbox) as student:
        assert student.facts.parameters


def test_what_a_submission_left_is_gone_before_the_next(tmp_path: Path) -> None:
    sandbox = choose("none")
    with sandbox.box() as box:
        (box.path / "left" / "over").mkdir(parents=True)
        (box.path / "link").symlink_to(tmp_path)
        (box.path / "left" / "over" / "file").write_text("x")
        kept = box.path
    assert list(kept.iterdir()) == []
    assert tmp_path.is_dir()


def test_a_room_is_unseen_by_others(tmp_path: Path) -> None:
    with choose("none").box() as box:
        assert box.path.stat().st_mode & 0o007 == 0


@pytest.mark.parametrize(
    ("usage", "code", "status", "words"),
    [
        (replace(USAGE, cpu_seconds=1), "while True: pass", "timed_out", "1 s of processor time"),
        (replace(USAGE, threads=10), THREADS, "crashed", "the limit is 10"),
        (replace(USAGE, memory_bytes=500 * 2**20), "import time\nx = bytearray(600 * 2**20)\ntime.sleep(9)",
            "out_of_memory", "the limit is 500 MiB"),
    ],
    ids=["cpu", "threads", "memory"],
)  # fmt: skip
def test_each_limit_has_its_own_words(usage: Usage, code: str, status: str, words: str) -> None:
    with choose("auto").box() as box:
        (box.path / "model.py").write_text(f"def StudentNet():\n    exec({code!r})\n")
        with box.worker(box.path, usage, threading.Event()) as worker:
            facts = {"formats": [], "sources": ["model.py"], "entry_points": ["StudentNet"]}
            limits = {"limit_seconds": 8.0, "max_reply_bytes": 10_000}
            worker.ask("open", facts, {}, doing="importing", **limits)
            with pytest.raises(SubmissionError, match=words) as error:
                worker.ask("build", {"model_arguments": {}, "input_shape": [3, 8, 8]}, {}, doing="building", **limits)
    assert error.value.status == status


GRADER = """
import sys, threading
from harness.sandbox import Usage, choose
context = choose(sys.argv[1]).box()
box = context.__enter__()
worker = box.worker(box.path, Usage(2**31, 600, 64), threading.Event())
print(worker._process.pid, box.path, flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize("name", WALLS)
def test_nothing_survives_a_killed_grader(name: str) -> None:
    sandbox_called(name)
    with subprocess.Popen([sys.executable, "-c", GRADER, name], stdout=subprocess.PIPE, text=True) as grader:
        pid, box = grader.stdout.readline().split()
        worker = psutil.Process(int(pid))
        zygotes = psutil.Process(grader.pid).children(recursive=True)
        assert worker in zygotes
        grader.kill()
    shutil.rmtree(box)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(map(_runs, zygotes)):
        time.sleep(0.05)
    assert [each for each in zygotes if _runs(each)] == []


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def test_hidden_folders_are_not_among_the_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    for name in ("torch", "harness_fixtures/data", "numpy"):
        (site / name).mkdir(parents=True)
    monkeypatch.setattr("harness.sandbox.walls.visible_paths", lambda: [site, tmp_path / "lib"])
    monkeypatch.setattr("harness.sandbox.walls.hidden_paths", lambda: [site / "harness_fixtures"])
    assert readable_paths() == [site / "numpy", site / "torch", tmp_path / "lib"]


def test_the_filter_is_a_seccomp_program() -> None:
    program = compiled()
    assert len(program) % 8 == 0
    # BPF_LD | BPF_W | BPF_ABS of the architecture comes first in whatever libseccomp makes (linux/seccomp.h).
    assert program[:2] == (0x20).to_bytes(2, "little")


def test_a_mother_that_cannot_start_is_our_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.sandbox.mother._BOOT", "raise SystemExit('torch is missing')")
    sandbox = Sandbox(NoWall())
    with sandbox.box() as box, pytest.raises(HarnessError, match="torch is missing"):
        box.worker(box.path, USAGE, threading.Event())
    sandbox.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's workers change their user")
@pytest.mark.parametrize("name", LOCKED)
def test_workers_of_root_are_nobody(name: str) -> None:
    with (
        sandbox_called(name).box() as box,
        box.worker(box.path, USAGE, threading.Event()) as worker,
    ):
        assert set(psutil.Process(worker._process.pid).uids()) == {65534}
