"""What files alone decide is known without torch, in the words of grading; whatever else may be right is graded."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from builders import SUBMISSIONS

from harness.assignment import loading
from harness.grading.first_look import first_look
from harness.plugins import Plugins
from harness.sandbox import choose
from harness.submission.discovery import discover
from harness.values.results import Result

CLASS = SUBMISSIONS / "nycu-ds2023-hw2"


def looked_at(path: Path) -> Result | None:
    plugins = Plugins.installed()
    assignment = loading.load("nycu-ds2023-hw2", plugins)
    return first_look(discover([path], mode="single")[0], assignment, plugins, choose("none"))


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    shutil.copy(CLASS / "seed-001/model.py", tmp_path)
    refused = looked_at(tmp_path)
    assert refused is not None
    assert (refused.status, refused.reason) == ("rejected", "there is no weights file")


def test_sources_that_are_no_python_are_refused_by_their_line(tmp_path: Path) -> None:
    shutil.copytree(CLASS / "seed-001", tmp_path / "me")
    (tmp_path / "me/model.py").write_text("def f(:\n")
    refused = looked_at(tmp_path / "me")
    assert refused is not None
    assert refused.reason is not None
    assert refused.reason.startswith("syntax error: model.py line 1")


@pytest.mark.parametrize("name", ["seed-001", "fail-missing-class", "fail-weights-mismatch", "fail-crash-at-import"])
def test_what_takes_more_than_reading_is_left_to_grading(name: str) -> None:
    assert looked_at(CLASS / name) is None


def test_a_network_pickled_whole_needs_no_source_that_parses(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    (tmp_path / "model.py").write_text("def f(:\n")
    torch.save(torch.nn.Linear(3, 3), tmp_path / "weights.pt")
    assert looked_at(tmp_path) is None


def test_it_imports_no_torch() -> None:
    code = (
        "import sys; from harness.cli import main\n"
        f"try:\n    main(['check', '-q', '--sandbox', 'none', 'nycu-ds2023-hw2', {str(CLASS / 'fail-no-weights')!r}])\n"
        "except SystemExit as end:\n    assert end.code == 1, end.code\n"
        "print({'torch', 'scipy', 'sqlalchemy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "set()"
