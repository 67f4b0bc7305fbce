"""`submission.toml`: what students may settle, and what is said about the rest."""

from __future__ import annotations

import pytest

from harness.errors import SubmissionError
from harness.submission.settings import parse_settings


def test_settings_take_names_and_tables():
    settings = parse_settings(b"""
teacher = { file = "t.pt", entry_point = "Teacher" }
[checkpoints]
a = ["x.pt", { file = "y\\\\z.pt", model_arguments = { w = 2 } }]
[methods]
scratch = "s.pt"
""")
    assert settings.further_files() == {
        "methods.scratch": "s.pt", "checkpoints.a.0": "x.pt", "checkpoints.a.1": "y/z.pt", "teacher": "t.pt"
    }  # fmt: skip
    assert settings.checkpoints["a"][1].model_arguments == {"w": 2}


@pytest.mark.parametrize("line", ["checkpoints = { a = [3] }", "methods = { a = ['x'] }", "teacher = { files = 'x' }"])
def test_other_settings_are_refused(line):
    with pytest.raises(SubmissionError, match=r"submission.toml: \d mistake"):
        parse_settings(line.encode())


def test_a_misspelt_key_of_a_table_is_named():
    with pytest.raises(SubmissionError, match=r"teacher.files: unknown key; did you mean 'file'"):
        parse_settings(b"teacher = { files = 'x' }")


@pytest.mark.parametrize(("codec", "name"), [("cp950", "Big5"), ("utf-16", "UTF-16")])
def test_another_encoding_is_named(codec, name):
    with pytest.raises(SubmissionError, match=f"submission.toml is not UTF-8 text: it seems to be {name}"):
        parse_settings('nickname = "王小明同學"\n'.encode(codec))
