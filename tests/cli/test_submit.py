"""`harness submit`: what was checked is what is packed, and nothing else is written or overwritten."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_fakes import HW, FakeGrading
from click.testing import Result as Run
from result_fakes import result

from harness.api import Check

Harness = Callable[..., Run]
FINE = (Check.passed("parameter_limit", "95,386 of at most 100,000 parameters"),)
WRONG = (Check.failed("kd_loss", "wrong", "use T²"),)


@pytest.fixture(autouse=True)
def alice(fake: FakeGrading) -> Path:
    fake.outcomes["alice"] = result("alice", checks=FINE)
    folder = Path("class/alice").resolve()
    (folder / "model.py").write_text("class StudentNet: ...\n", encoding="utf-8")
    (folder / ".git").mkdir()
    (folder / ".git/config").write_text("", encoding="utf-8")
    return folder


def names(file: str) -> list[str]:
    with zipfile.ZipFile(file) as archive:
        return archive.namelist()


def test_what_passes_is_packed_beside_the_folder(harness: Harness, fake: FakeGrading) -> None:
    run = harness("submit", HW, "class/alice")
    assert run.exit_code == 0, run.output
    assert "everything passes" in run.stdout
    assert "alice.zip: hand in this file" in run.stderr
    assert names("class/alice.zip") == ["MANIFEST.sha256", "model.py"]
    assert fake.graded == ["alice"]
    before = Path("class/alice.zip").read_bytes()
    assert harness("submit", HW, "class/alice", "-q").output == ""  # its own zip is replaced
    assert Path("class/alice.zip").read_bytes() == before
    assert harness("submit", HW, "class/alice.zip").exit_code == 0
    assert Path("class/alice.zip").read_bytes() == before


def test_from_inside_the_folder(harness: Harness, alice: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(alice)
    assert harness("submit", HW, ".").exit_code == 0
    assert names("../alice.zip") == ["MANIFEST.sha256", "model.py"]
    inside = harness("submit", HW, ".", "--out", "mine.zip")
    assert inside.exit_code == 2
    assert "would be part of the next hand-in" in inside.stderr


def test_what_does_not_pass_is_packed_only_anyway(harness: Harness, fake: FakeGrading) -> None:
    fake.outcomes["alice"] = result("alice", checks=WRONG)
    run = harness("submit", HW, "class/alice")
    assert run.exit_code == 1
    assert "--anyway packs it as it is" in run.stderr
    assert not Path("class/alice.zip").exists()
    run = harness("submit", HW, "class/alice", "--anyway", "--out", "mine.zip", "--json", "-")
    assert run.exit_code == 1
    assert json.loads(run.stdout)["results"][0]["submission"] == "alice"
    assert names("mine.zip") == ["MANIFEST.sha256", "model.py"]


def test_what_cannot_be_read_is_told_and_never_packed(harness: Harness, fake: FakeGrading) -> None:
    fake.outcomes["bob"] = result("bob", status="rejected", reason="the submission is empty", checks=(), metrics={})
    run = harness("submit", HW, "class/bob", "--anyway")
    assert run.exit_code == 1
    assert "the submission is empty" in run.stdout
    assert not Path("class/bob.zip").exists()


def test_nothing_of_yours_is_overwritten(harness: Harness) -> None:
    Path("class/alice.zip").write_text("mine", encoding="utf-8")
    run = harness("submit", HW, "class/alice")
    assert run.exit_code == 2
    assert "is there already" in run.stderr
    assert Path("class/alice.zip").read_text(encoding="utf-8") == "mine"
    wrong = harness("submit", HW, "class/alice", "--out", "mine.tar.gz")
    assert wrong.exit_code == 2
    assert "call it mine.tar.gz.zip" in wrong.stderr


def test_a_folder_that_is_not_there_is_a_usage_error(harness: Harness) -> None:
    run = harness("submit", HW, "class/dora")
    assert run.exit_code == 2
    assert "no such file or folder" in run.stderr
