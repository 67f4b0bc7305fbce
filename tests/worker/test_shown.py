"""What a hand-in's code may see of it, and what is said of the rest."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from hand_ins import PLUGINS

from harness.errors import SubmissionError
from harness.submission.hand_in import HandIn
from harness.submission.reading import Submission, read_submission
from harness.worker.shown import hint_for, with_code_only

READABLE = ("*.json", "data/*.csv")


def read(folder: Path, files: dict[str, bytes], tmp_path: Path) -> Submission:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return read_submission(HandIn("one", folder), tmp_path, PLUGINS.weight_formats)


def names(folder: Path) -> set[str]:
    return {each.relative_to(folder).as_posix() for each in folder.rglob("*")}


def test_code_sees_sources_weights_and_what_the_assignment_lets_it_read(tmp_path):
    files = {
        "net/model.py": b"x = 1",
        "net/__init__.py": b"",
        "weights.pkl": b"\x80\x02}q\x00.",
        "early.bin": b"\x80\x02}q\x00.",
        "Settings.JSON": b"{}",
        "data/a.csv": b"1",
        "b.csv": b"1",
        "README.md": b"numbers",
        "net/fast.cpython-311-x86_64-linux-gnu.so": b"\x7fELF",
        "lib/hidden.pyc": b"\xa7\x0d",
        "empty/picture.png": b"\x89PNG",
        "submission.toml": b'weights = "weights.pkl"\nteacher = "early.bin"\n',
    }
    submission = read(tmp_path / "in", files, tmp_path)
    shown = with_code_only(submission, READABLE)
    stays = {"net/model.py", "net/__init__.py", "weights.pkl", "early.bin", "Settings.JSON", "data/a.csv"}
    assert names(shown.folder) == stays | {"net", "data"}
    assert set(shown.hidden) == files.keys() - stays
    assert shown.digest == submission.digest


def test_of_a_notebook_its_code_stays_where_it_was(tmp_path):
    notebook = nbformat.v4.new_notebook(metadata={"held": "secret"})
    code = nbformat.v4.new_code_cell("x = 1  # stays\n%time y = 2")
    code.outputs = [nbformat.v4.new_output("display_data", {"image/png": "secret"})]
    notebook.cells = [nbformat.v4.new_markdown_cell("secret"), code, nbformat.v4.new_code_cell("%%html\nstays")]
    submission = read(tmp_path / "in", {"hw.ipynb": nbformat.writes(notebook).encode()}, tmp_path)
    with_code_only(submission, ())
    text = (submission.folder / "hw.ipynb").read_text()
    assert "secret" not in text
    again = nbformat.reads(text, as_version=4)
    assert [(each.cell_type, each.source) for each in again.cells if each.source] == [
        ("code", "x = 1  # stays\n%time y = 2"),
        ("code", "%%html\nstays"),
    ]


@pytest.mark.parametrize("data", [b"{", b"[1]", b'{"cells": 3}'])
def test_a_broken_notebook_stays_for_whoever_says_what_is_wrong_with_it(data, tmp_path):
    submission = read(tmp_path / "in", {"hw.ipynb": data}, tmp_path)
    with_code_only(submission, ())
    assert (submission.folder / "hw.ipynb").read_bytes() == data


def test_cells_that_are_none_are_still_told_of(tmp_path):
    cells = [None, {"cell_type": "code", "source": ["x = 1\n", "y"]}]
    submission = read(tmp_path / "in", {"hw.ipynb": json.dumps({"cells": cells}).encode()}, tmp_path)
    with_code_only(submission, ())
    left = json.loads((submission.folder / "hw.ipynb").read_text())["cells"]
    assert [left[0], left[1]["source"]] == [None, ["x = 1\n", "y"]]


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("FileNotFoundError: [Errno 2] No such file or directory: '/box/notes.md' at model.py line 3", "notes.md"),
        ("ModuleNotFoundError: No module named 'fast'", "lib/fast.cpython-311.so"),
        ("ValueError: my_notes.md is fine", None),
        ("RuntimeError: fast", None),
    ],
)
def test_a_failure_that_names_a_hidden_file_says_that_it_was_hidden(reason, told, tmp_path):
    files = {"model.py": b"", "notes.md": b"1", "lib/fast.cpython-311.so": b"1"}
    shown = with_code_only(read(tmp_path / "in", files, tmp_path), READABLE)
    hint = hint_for(SubmissionError("crashed", reason, "as before"), shown)
    assert hint is not None
    assert hint.startswith(f"{told!r} was handed in, but") if told else hint == "as before"
