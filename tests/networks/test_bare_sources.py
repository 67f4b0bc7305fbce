"""What is left of sources where only their code may be read."""

from __future__ import annotations

import json

import pytest

from harness.networks.bare_sources import without_comments, write_bare


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("x = 1  # one\ny = '# two'\n", "x = 1  \ny = '# two'\n"),
        ("#!/usr/bin/python\n# all\nx = 1", "\n\nx = 1"),
        ('"""a\n# no comment\n"""\n', '"""a\n# no comment\n"""\n'),
        ("!pip install this\nx = (1,  # one\n", "!pip install this\nx = (1,  \n"),
    ],
)
def test_comments_go_and_lines_stay(text, bare):
    assert without_comments(text).replace(" ", "") == bare.replace(" ", "")
    assert without_comments(text).count("\n") == text.count("\n")


def test_of_a_notebook_only_code_stays(tmp_path):
    cells = [
        {"cell_type": "markdown", "source": ["hidden"]},
        {"cell_type": "code", "source": ["x = 1\n", "# hidden"], "outputs": [{"data": "hidden"}], "metadata": {}},
        {"cell_type": "code", "source": "%%html\nhidden"},
        {"cell_type": "code", "source": "%%time\ny = 2"},
    ]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells, "metadata": {"k": "hidden"}}))
    write_bare(tmp_path / "a.ipynb", tmp_path / "b" / "a.ipynb")
    text = (tmp_path / "b" / "a.ipynb").read_text()
    assert "hidden" not in text
    assert ["".join(each["source"]) for each in json.loads(text)["cells"]] == ["x = 1\n", "", "%%time\ny = 2"]


@pytest.mark.parametrize("data", [b"[1]", b"{", b'{"cells": 3}', b"\0"])
def test_what_is_no_notebook_is_left_out(data, tmp_path):
    (tmp_path / "a.ipynb").write_bytes(data)
    write_bare(tmp_path / "a.ipynb", tmp_path / "b.ipynb")
    assert not (tmp_path / "b.ipynb").exists()


def test_what_would_take_long_to_look_through_is_left_out(tmp_path):
    (tmp_path / "a.py").write_text("x = 1  # one\n" * 10)
    assert write_bare(tmp_path / "a.py", tmp_path / "b.py", 130) == 130
    assert (tmp_path / "b.py").read_text() == "x = 1  \n" * 10
    assert write_bare(tmp_path / "a.py", tmp_path / "c.py", 129) == 0
    assert not (tmp_path / "c.py").exists()
