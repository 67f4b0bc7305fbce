"""Lines of keys, whatever TOML's ways of writing them."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.assignment.loading import shipped
from harness.assignment.places import lines_of, placed
from harness.errors import Problem

FILE = '''# [not.a.table]
title = """
[neither.is.this]
key = 1
"""
"quoted key" = [
    1,  # ]
    2,
]

[data . test]
path = 'x = 3'
deep.er = {one = 1, two = {three = 3}}

[[rubric.points]]
name = "tier 1"

[[rubric.points]]
name = "tier 2"
at_least = 90
[rubric.points.more]
a = 1
[[rubric.points.more.rows]]
b = 2
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("title", 2),
        ("quoted key", 6),
        ("quoted key.1", 6),
        ("data.test", 11),
        ("data.test.path", 12),
        ("data.test.deep.er.two.three", 13),
        ("rubric.points.0", 15),
        ("rubric.points.0.name", 16),
        ("rubric.points.1.at_least", 20),
        ("rubric.points.1.more.a", 22),
        ("rubric.points.1.more.rows.0.b", 24),
    ],
)
def test_keys_stand_where_an_editor_shows_them(path: str, line: int) -> None:
    tomllib.loads(FILE)
    assert lines_of(FILE)[path] == line


def test_texts_and_comments_are_no_keys() -> None:
    assert not [path for path in lines_of(FILE) if "not" in path or "neither" in path or path == "key"]


def test_a_mistake_has_its_line_and_the_name_of_its_row() -> None:
    document, lines = tomllib.loads(FILE), lines_of(FILE)
    found = placed(Problem("rubric.points.1.at_least", "too much"), lines, document)
    assert str(found) == 'line 20, points "tier 2", rubric.points.1.at_least: too much'
    # What is missing stands nowhere: its table does.
    assert placed(Problem("data.test.id", "required, but missing"), lines, document).line == 11
    assert str(placed(Problem("nowhere.at.all", "what"), lines, document)) == "nowhere.at.all: what"


def leaves(value: Any, at: tuple[str, ...] = ()) -> set[str]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    below = {path for key, each in inner for path in leaves(each, (*at, str(key)))}
    return below | ({".".join(at)} if at else set())


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_key_of_the_shipped_files_has_a_line_that_holds_it(name: str) -> None:
    text = shipped()[name].read_text(encoding="utf-8")
    lines, rows = lines_of(text), text.split("\n")
    tables = {path for path in leaves(tomllib.loads(text)) if path not in lines}
    # Tables that are named on the way to others alone, such as `rubric` and the array `rubric.points`.
    assert all(any(path.startswith(f"{each}.") for path in lines) for each in tables)
    for path, line in lines.items():
        last = [part for part in path.split(".") if not part.isdigit()][-1]
        assert last in rows[line - 1]


@given(st.text("ab=.[]\"'\n #1", max_size=60))
def test_whatever_toml_takes_is_taken(text: str) -> None:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = lines_of(text)
    assert set(lines) <= leaves(document)
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())


def test_a_table_without_a_header_stands_where_its_first_part_does() -> None:
    assert lines_of("a = 1\n[one.two]\nb = 2\n[one.three]\n")["one"] == 2
