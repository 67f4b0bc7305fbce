"""What arrives in a folder is found when it is whole, by a clock of the test's own."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.submission.arrivals import Arrivals

START = datetime(2026, 2, 1, 12, tzinfo=UTC)


class Folder:
    """A watched folder, and a clock that goes when it is told to."""

    def __init__(self, path: Path) -> None:
        self.path, self.now = path, START
        self.arrivals = Arrivals(path, timedelta(seconds=5))

    def write(self, name: str, text: str = "x") -> None:
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_text(text)

    def after(self, seconds: float, *, settled: bool = False) -> list[str]:
        """What is ready so much later; `settled`: it is dealt with."""
        self.now += timedelta(seconds=seconds)
        found = self.arrivals.ready(self.now)
        for each in found if settled else ():
            self.arrivals.settle(each)
        return [each.id for each in found]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_what_is_being_copied_waits_until_nothing_of_it_changes(folder: Folder) -> None:
    folder.write("alice/model.py")
    assert folder.after(0) == []
    assert folder.after(4) == []
    folder.write("alice/weights.pt", "half")
    assert folder.after(4) == []
    folder.write("alice/weights.pt", "half and the other half")
    assert folder.after(4) == []
    assert folder.after(4.9) == []
    assert folder.after(0.1) == ["alice"]
    # It stays ready until someone has dealt with it.
    assert folder.after(60, settled=True) == ["alice"]
    assert folder.after(60) == []


def test_old_times_of_a_copy_make_it_no_older(folder: Folder) -> None:
    folder.write("alice/model.py")
    os.utime(folder.path / "alice/model.py", (0, 0))
    assert (folder.after(0), folder.after(4), folder.after(1)) == ([], [], ["alice"])


def test_only_what_changes_comes_again(folder: Folder) -> None:
    for name in ("alice/model.py", "bob.zip", "carol.py"):
        folder.write(name)
    assert folder.after(0) == []
    assert folder.after(5, settled=True) == ["alice", "bob", "carol"]
    folder.write("bob.zip", "another")
    assert (folder.after(1), folder.after(5, settled=True)) == ([], ["bob"])
    # A file that takes another's place may have its size and time.
    kept = (folder.path / "alice/model.py").stat()
    folder.write("new")
    os.utime(folder.path / "new", ns=(kept.st_atime_ns, kept.st_mtime_ns))
    (folder.path / "new").replace(folder.path / "alice/model.py")
    assert (folder.after(1), folder.after(5, settled=True)) == ([], ["alice"])
    # One that goes is no hand-in, and one that comes back the same was graded.
    (folder.path / "carol.py").rename(folder.path / ".carol")
    assert folder.after(9) == []
    (folder.path / ".carol").rename(folder.path / "carol.py")
    assert (folder.after(1), folder.after(9)) == ([], [])


def test_weights_beside_a_source_belong_to_it(folder: Folder) -> None:
    folder.write("alice.py")
    folder.write("bob.py")
    folder.after(0)
    assert folder.after(5, settled=True) == ["alice", "bob"]
    folder.write("alice.pt")
    assert (folder.after(1), folder.after(5, settled=True)) == ([], ["alice"])


def test_an_empty_folder_has_not_arrived(folder: Folder) -> None:
    (folder.path / "alice").mkdir()
    assert (folder.after(0), folder.after(60)) == ([], [])


def test_what_waits_for_a_moment_comes_then_or_when_it_changes(folder: Folder) -> None:
    folder.write("alice.py")
    folder.after(0)
    folder.now += timedelta(seconds=5)
    (alice,) = folder.arrivals.ready(folder.now)
    folder.arrivals.settle(alice, folder.now + timedelta(hours=1))
    assert folder.after(3599) == []
    assert folder.after(1) == ["alice"]


def test_two_of_one_id_wait_and_stop_nobody_else(folder: Folder) -> None:
    for name in ("alice.zip", "alice/model.py", "bob.py"):
        folder.write(name)
    folder.after(0)
    assert folder.after(5) == ["bob"]
    (problem,) = folder.arrivals.problems
    assert problem.startswith("2 submissions have the id 'alice': ")
    (folder.path / "alice.zip").unlink()
    assert (folder.after(0), folder.after(5)) == (["bob"], ["alice", "bob"])
    assert folder.arrivals.problems == []


def test_a_folder_without_anything_or_that_is_gone_is_a_problem_and_no_end(folder: Folder) -> None:
    assert folder.after(0) == []
    assert "holds no submissions" in folder.arrivals.problems[0]
    moved = folder.path.rename(folder.path.with_name("moved"))
    assert folder.after(1) == []
    assert folder.arrivals.problems
    moved.rename(folder.path)
    folder.write("alice.py")
    assert (folder.after(1), folder.after(5)) == ([], ["alice"])


def test_a_bulk_download_is_watched_person_by_person(folder: Folder) -> None:
    for name in ("doejane_1001_501_model.py", "kimmin_1002_502_model.py"):
        folder.write(name)
    folder.after(0)
    assert folder.after(5, settled=True) == ["1001", "1002"]
    folder.write("kimmin_1002_509_model-1.py")
    assert (folder.after(1), folder.after(5)) == ([], ["1002"])
