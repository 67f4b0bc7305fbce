"""Private folders end with their grader; those of killed ones are swept by the next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.sandbox import rooms
from harness.sandbox.rooms import Room, room, sweep

_HOLD = (
    "import sys; from harness.sandbox.rooms import Room; kept = Room(); print(kept.path, flush=True); sys.stdin.read()"
)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    sweep.cache_clear()


def aged(folder: Path) -> Path:
    os.utime(folder, (time.time() - 3600,) * 2)
    return folder


def test_a_room_is_deleted_when_it_is_closed_or_forgotten() -> None:
    with room() as one:
        (one / "work").write_text("x")
    two = Room()
    path = two.path
    assert path.is_dir()
    del two
    assert not one.exists()
    assert not path.exists()


def test_only_what_nobody_holds_is_swept(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        held = aged(Path(other.stdout.readline().strip()))
        young = tmp_path / "harness-room-young"
        left = tmp_path / "harness-room-left"
        strange = tmp_path / "somebody-else's"
        for each in (young, left, strange):
            (each / "deep").mkdir(parents=True)
            (each / "deep" / "work.py").write_text("x")
        aged(left), aged(strange)
        (tmp_path / "harness-room-link").symlink_to(strange)
        assert sweep(tmp_path) == 1
        assert (held.is_dir(), young.is_dir(), strange.is_dir(), left.exists()) == (True, True, True, False)
        other.send_signal(signal.SIGKILL)
        other.wait()
    aged(held)
    sweep.cache_clear()
    assert sweep(tmp_path) == 1
    assert not held.exists()


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / "harness-room-left"
    left.mkdir()
    aged(left)
    monkeypatch.setattr(rooms.os, "geteuid", lambda: os.getuid() + 1)
    assert sweep(tmp_path) == 0
    assert left.exists()
