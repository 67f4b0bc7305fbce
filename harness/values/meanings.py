"""Read what every key means from where it is defined: the string below a field of a model."""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import pairwise
from typing import Any

from pydantic import BaseModel


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """Field -> its meaning, inherited ones included. A field that says nothing, or whose source is lost, is missing.

    pydantic's `use_attribute_docstrings` reads the same strings, but from every class as it is defined: that takes
    longer than the rest of a quick command, and only schemas and the reference need them.
    """
    found: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if issubclass(kind, BaseModel) and kind is not BaseModel:
            found |= _written_in(kind)
    return found


def explain(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Put the meanings into a JSON schema, as pydantic's `json_schema_extra` may."""
    for name, meaning in meanings(model).items():
        if name in schema.get("properties", {}):
            schema["properties"][name].setdefault("description", meaning)


def _written_in(kind: type[BaseModel]) -> dict[str, str]:
    try:
        source = inspect.getsource(kind)
    except (OSError, TypeError):  # defined in an interactive session
        return {}
    (definition,) = ast.parse(textwrap.dedent(source)).body
    assert isinstance(definition, ast.ClassDef)
    written = {}
    for field, following in pairwise(definition.body):
        match field, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                written[name] = inspect.cleandoc(text)
    return written
