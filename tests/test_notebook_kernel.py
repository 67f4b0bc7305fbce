"""In a real kernel, `harness.check(...)` shows progress, a line, and a page; failures name the cell's line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from builders import quick_hw2
from nbclient import NotebookClient

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

_DEFINES = """import harness, torch
from torch import nn
class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3 * 28 * 28, 10)
    def forward(self, x):
        return self.fc(x.flatten(1))
class Broken(Tiny):
    def forward(self, x):
        return self.absent(x)
"""


def test_a_notebook_shows_a_page_and_the_line_of_a_failure(tmp_path: Path) -> None:
    assignment = str(quick_hw2(tmp_path))
    cells = [
        _DEFINES,
        f"harness.check(Tiny, assignment={assignment!r})",
        f"harness.check(Broken, assignment={assignment!r})",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    graded, failed = notebook.cells[1].outputs, notebook.cells[2].outputs
    (value,) = [each for each in graded if each["output_type"] == "execute_result"]
    assert value["data"]["text/plain"].startswith("<graded: ")
    assert len(value["data"]["text/plain"]) < 1000
    assert value["data"]["text/html"].startswith("<iframe ")
    assert "prefers-color-scheme: dark" in value["data"]["text/html"]
    assert "Next: " in _texts(graded)
    assert "this notebook's cell line 11: `return self.absent(x)`" in _texts(failed)


def _texts(outputs: list[Any]) -> str:
    return "\n".join(each["data"]["text/plain"] for each in outputs if "data" in each)
