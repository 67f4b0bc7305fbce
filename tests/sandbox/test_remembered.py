"""When the self-test of a wall is not repeated, and when it is."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import harness.sandbox
import harness.sandbox.selftest
from harness.errors import SandboxUnavailable
from harness.sandbox import describe, remembered
from harness.sandbox.walls import LandlockWall

WALL = LandlockWall(b"program")


@dataclass(frozen=True)
class _Tested:
    """A sandbox that starts nothing."""

    wall: Any

    def warm(self) -> None:
        pass


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "compress-harness"


@pytest.fixture
def tests(cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The walls that are tested from now on, in a harness that knows only `WALL`."""
    tested: list[str] = []
    monkeypatch.setattr(
        harness.sandbox.selftest, "refuse_unless_it_holds", lambda sandbox: tested.append(sandbox.wall.name)
    )
    monkeypatch.setattr(harness.sandbox, "_sandbox", lambda _: _Tested(WALL))
    return tested


def test_a_wall_that_held_is_not_tested_again(tests: list[str]) -> None:
    for _ in range(2):
        harness.sandbox._tested.__wrapped__("landlock")
    assert tests == ["landlock"]


def test_the_doctor_tests_always(tests: list[str]) -> None:
    for _ in range(2):
        assert [works for _, works, _ in describe()] == [True] * 3
    assert tests == ["landlock"] * 4  # two walls, twice; `none` is no wall


def test_one_that_does_not_hold_is_forgotten(tests: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    harness.sandbox._tested.__wrapped__("landlock")
    assert remembered.holds(WALL)

    def refuse(_: object) -> None:
        raise SandboxUnavailable("it does not hold here")

    monkeypatch.setattr(harness.sandbox.selftest, "refuse_unless_it_holds", refuse)
    assert not any(works for name, works, _ in describe() if name != "none")
    assert not remembered.holds(WALL)
    with pytest.raises(SandboxUnavailable):
        harness.sandbox._tested.__wrapped__("landlock")
    assert tests == ["landlock"]


def test_the_folder_is_for_nobody_else(cache: Path) -> None:
    remembered.keep(WALL)
    assert cache.stat().st_mode & 0o777 == 0o700
    assert remembered.holds(WALL)


@pytest.mark.parametrize(
    "changed", [replace(WALL, program=b"another"), replace(WALL, user=1), replace(WALL, closed=Path("/root"))]
)
def test_another_wall_is_tested(cache: Path, changed: LandlockWall) -> None:
    remembered.keep(WALL)
    assert not remembered.holds(changed)


@pytest.mark.parametrize("stale", ["/proc/sys/kernel/random/boot_id", "/proc/self/uid_map"])
def test_a_record_of_another_boot_is_stale(cache: Path, monkeypatch: pytest.MonkeyPatch, stale: str) -> None:
    remembered.keep(WALL)
    read = remembered._text
    monkeypatch.setattr(remembered, "_text", lambda path: "another" if path == stale else read(path))
    assert not remembered.holds(WALL)


@pytest.mark.parametrize("what", ["version", "files"])
def test_a_record_of_another_harness_is_stale(cache: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    remembered.keep(WALL)
    if what == "version":
        monkeypatch.setattr(remembered.version, "__version__", "0.0.0")
    else:
        monkeypatch.setattr(remembered, "_version", lambda file: (str(file), 0, 0))
    assert not remembered.holds(WALL)


def _loosen_file(cache: Path) -> None:
    next(cache.iterdir()).chmod(0o620)


def _loosen_folder(cache: Path) -> None:
    cache.chmod(0o770)


def _loosen_parent(cache: Path) -> None:
    cache.parent.chmod(0o777)


def _link_folder(cache: Path) -> None:
    cache.rename(cache.with_name("elsewhere"))
    cache.symlink_to(cache.with_name("elsewhere"))


def _link_file(cache: Path) -> None:
    record = next(cache.iterdir())
    record.rename(cache.parent / "elsewhere")
    record.symlink_to(cache.parent / "elsewhere")


@pytest.mark.parametrize("spoil", [_loosen_file, _loosen_folder, _loosen_parent, _link_folder, _link_file])
def test_a_record_that_others_could_have_written_is_ignored(cache: Path, spoil: Any) -> None:
    remembered.keep(WALL)
    assert remembered.holds(WALL)
    spoil(cache)
    assert not remembered.holds(WALL)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("which", ["file", "folder", "parent"])
def test_a_record_of_another_user_is_ignored(cache: Path, which: str) -> None:
    remembered.keep(WALL)
    os.chown({"file": next(cache.iterdir()), "folder": cache, "parent": cache.parent}[which], 54321, -1)
    assert not remembered.holds(WALL)


def test_a_folder_that_cannot_be_made_is_no_failure(cache: Path) -> None:
    cache.write_text("in the way")
    remembered.keep(WALL)
    assert not remembered.holds(WALL)


def test_a_record_is_found_again_by_every_process() -> None:
    said = "from harness.sandbox import remembered, walls; print(remembered._record(walls.landlock_wall()))"
    found = {
        subprocess.run(
            [sys.executable, "-c", said], env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1
