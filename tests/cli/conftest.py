"""Every test runs in a folder of its own with a class of three and a faked grading core."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cli_fakes
import pytest
from click.testing import CliRunner, Result

from harness.cli import main


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> cli_fakes.FakeGrading:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    for name in ("alice", "bob", "carol"):
        (tmp_path / "class" / name).mkdir(parents=True)
    grading = cli_fakes.FakeGrading()
    cli_fakes.install(monkeypatch, grading)
    return grading


@pytest.fixture
def harness(fake: cli_fakes.FakeGrading) -> Callable[..., Result]:
    return lambda *arguments: CliRunner().invoke(main, [str(each) for each in arguments], prog_name="harness")
