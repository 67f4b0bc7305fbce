"""A plugin, an assignment and a submission that `harness new` makes, graded behind a wall and seen on the board."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from hand_ins import graded, sandbox_called

from harness.assignment.loading import load
from harness.cli import main
from harness.testing.boards import board
from harness.testing.grading import shipped_and


def test_they_fit_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for stem, name in (("plugin", "zeros"), ("assignment", "hw"), ("submission", "anna")):
        run = CliRunner().invoke(main, ["new", stem, name])
        assert run.exit_code == 0, run.output
    spec = importlib.util.spec_from_file_location("harness_zeros", "zeros/harness_zeros.py")
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "harness_zeros", module)
    spec.loader.exec_module(module)
    path = Path("hw/hw.toml")
    path.write_text(path.read_text(encoding="utf-8") + "\n[evaluators.zeros]\nleast = 0.5\n", encoding="utf-8")
    plugins = shipped_and(module)
    result = graded(load(str(path), plugins), [Path("anna")], sandbox_called("auto"), plugins=plugins)["anna"]
    assert (result.status, result.score, result.max_score) == ("graded", 10, 10), result.reason
    assert result.network.verified
    assert {check.name: check.verdict for check in result.checks}["zeros"] == "failed"
    assert result.metrics["zeros_zeros"].value == 0
    assert [row.name for row in board((result,)).standings] == ["anna"]
