"""What is no TOML is told with its line and a cure."""

from __future__ import annotations

import tomllib

import pytest

from harness.assignment.syntax import syntax_mistake


@pytest.mark.parametrize(
    ("line", "cure"),
    [
        ("id = “hw1”", "straight quotes"),
        ("stand_in = yes", "true or false"),
        ("stand_in = True  # real", "true or false"),
        ("limit = 60,000", "without commas"),
        ('path = "C:\\Users\\me"', "write / for"),
        ("limit: 60000", "write ="),
        ("title = Homework 7", "between quotes"),
        ("[rubric]", "stands once"),
        ("// a comment", "comments begin with #"),
        ('resize = "none', "ends on its line"),
        ("limit = ]", "with = and a value"),
    ],
)
def test_a_line_is_told_with_what_to_write_instead(line: str, cure: str) -> None:
    text = f"schema_version = 1\n\n[rubric]\na = 1\n{line}\nb = 2\n"
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    problem = syntax_mistake(text, caught.value)
    assert problem.line == 5
    assert line.split("#", maxsplit=1)[0].strip() in problem.what
    assert cure in problem.what


def test_what_is_missing_at_the_end_has_no_line() -> None:
    text = "a = [1, 2"
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    assert "lists between [ and ]" in syntax_mistake(text, caught.value).what
