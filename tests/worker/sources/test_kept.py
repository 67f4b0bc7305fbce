"""The text of sources that is kept: by file or cell, as it stands, within bounds, whatever was handed in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.store import sources
from harness.worker.sources import kept
from harness.worker.sources.kept import source_texts


def notebook(*cells: tuple[str, str]) -> str:
    return json.dumps({"nbformat": 4, "cells": [{"cell_type": kind, "source": text} for kind, text in cells]})


def texts(folder: Path, **files: str | bytes) -> dict[str, str]:
    paths = []
    for name, content in files.items():
        path = Path(name.replace("_", ".", 1))
        (folder / path).write_bytes(content if isinstance(content, bytes) else content.encode())
        paths.append(path)
    found = source_texts(folder, paths)
    assert sources.unpacked(sources.packed(found)) == found
    return found


def test_files_and_code_cells_are_kept_under_the_names_that_tracebacks_have(tmp_path: Path) -> None:
    cells = notebook(("markdown", "# Title"), ("code", "!pip install x\ndef f(:"), ("code", "class Net: ..."))
    found = texts(tmp_path, model_py="x = 1\r\n", hw_ipynb=cells)
    assert found == {
        "model.py": "x = 1\n",
        "hw.ipynb cell 1": "!pip install x\ndef f(:",
        "hw.ipynb cell 2": "class Net: ...",
    }


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"\0" * 100,
        "名前 = 1".encode("big5"),
        b"[" * 100_000,
        b'{"cells": 3}',
        b"<html>",
        b"\xed\xa0\x80",
    ],
)
@pytest.mark.parametrize("name", ["a_py", "a_ipynb"])
def test_whatever_is_handed_in_stops_nobody(tmp_path: Path, content: bytes, name: str) -> None:
    found = texts(tmp_path, **{name: content}, model_py="x = 1")
    assert found["model.py"] == "x = 1"


def test_half_of_a_character_in_a_notebook_can_be_stored(tmp_path: Path) -> None:
    (text,) = texts(tmp_path, hw_ipynb=notebook(("code", "x = '\ud800'"))).values()
    assert text == "x = '?'"


def test_one_hand_in_takes_no_more_than_its_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_CHARACTERS", 10)
    assert texts(tmp_path, a_py="x" * 6, b_py="y" * 6, c_py="z") == {"a.py": "x" * 6, "b.py": "y" * 4}


def test_a_missing_file_is_not_there(tmp_path: Path) -> None:
    assert source_texts(tmp_path, [Path("gone.py")]) == {}
