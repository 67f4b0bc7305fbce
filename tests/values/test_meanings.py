"""Every key that an editor, a student or a program meets is explained where its schema is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from pydantic import Field

from harness.assignment.schema import json_schema
from harness.plugins import Plugins
from harness.submission.settings import Settings
from harness.values.base import Value
from harness.values.board import Board
from harness.values.meanings import meanings
from harness.values.report import Document
from harness.values.results import Report

SCHEMAS = {
    "assignment": json_schema(Plugins.installed()),
    "submission.toml": Settings.model_json_schema(),
    "results": Report.model_json_schema(),
    "results, as printed": Report.model_json_schema(mode="serialization"),
    "one report": Document.model_json_schema(),
    "board": Board.model_json_schema(),
}


def keys(node: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key that a schema names, wherever it lies."""
    if isinstance(node, dict):
        for name, inner in node.get("properties", {}).items():
            yield f"{place}/{name}", inner
        for name, inner in node.items():
            yield from keys(inner, f"{place}/{name}")
    elif isinstance(node, list):
        for inner in node:
            yield from keys(inner, place)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_key_is_explained(name: str) -> None:
    found = dict(keys(SCHEMAS[name]))
    assert len(found) > 10
    assert not [place for place, inner in found.items() if not inner.get("description", "").strip()]


def test_options_of_evaluators_are_explained_too() -> None:
    places = set(dict(keys(SCHEMAS["assignment"])))
    assert "/properties/evaluators/accuracy" in places
    assert "/properties/evaluators/properties/parameter_limit/limit" in places
    assert "/$defs/Limits/memory_bytes" in places


class Parent(Value):
    inherited: int
    """From the parent."""
    replaced: int
    """The parent's word."""


class Child(Parent):
    replaced: Literal[1] = 1
    """The child's word,
    in two lines."""
    long: int = Field(
        default=2,
        description="Its own.",
    )
    silent: int = 3


def test_meanings_are_inherited_and_replaced() -> None:
    said = {"inherited": "From the parent.", "replaced": "The child's word,\nin two lines."}
    assert meanings(Child) == said
    described = {name: each.get("description") for name, each in Child.model_json_schema()["properties"].items()}
    assert described == {**said, "long": "Its own.", "silent": None}


def test_a_model_without_source_has_no_meanings() -> None:
    scope: dict[str, Any] = {"Value": Value, "__name__": "typed_in"}
    exec("class Typed(Value):\n    x: int\n    '''Lost.'''\n", scope)
    assert meanings(scope["Typed"]) == {}
    assert "x" in scope["Typed"].model_json_schema()["properties"]
