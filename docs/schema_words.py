"""Put JSON schemas and defaults into the reference's words: 'integer > 0', 'list of strings', a link to a table."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel


def type_of(node: Mapping[str, Any], places: Mapping[str, str], *, many: bool = False) -> str:
    """A JSON schema in words: 'integer > 0', 'list of strings', a link to another table."""
    alternatives = [each for each in node.get("anyOf", ()) if each.get("type") != "null"]
    if alternatives:
        return " or ".join(dict.fromkeys(type_of(each, places, many=many) for each in alternatives))
    if "$ref" in node:
        place = places.get(node["$ref"].rsplit("/", 1)[1])
        return f"[{place}](#{_anchor(place)})" if place else "anything"
    if "const" in node or "enum" in node:
        return ", ".join(f"`{_plain(each)}`" for each in node.get("enum", [node.get("const")]))
    return _plain_type(node, places, "s" if many else "")


def _plain_type(node: Mapping[str, Any], places: Mapping[str, str], plural: str) -> str:
    match node.get("type"):
        case "array" if "prefixItems" in node:
            words = f"{('pair', 'triple')[len(node['prefixItems']) - 2]}{plural} of numbers"
        case "array":
            words = f"list{plural} of {type_of(node['items'], places, many=True)}{_at_least(node)}"
        case "object":
            inner = node.get("additionalProperties") or next(iter(node.get("patternProperties", {}).values()), None)
            words = f"table{plural}" + (f" of {type_of(inner, places, many=True)}" if isinstance(inner, dict) else "")
        case "string" if node.get("format") == "date-time":
            words = f"date-time{plural}"
        case "string" | "integer" | "number" | "boolean" as word:
            words = f"{word}{plural}{_bounds(node)}"
        case _:
            words = "anything"
    return words


def nullable(node: Mapping[str, Any]) -> bool:
    return any(each.get("type") == "null" for each in node.get("anyOf", ()))


def _bounds(node: Mapping[str, Any]) -> str:
    signs = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    bounds = [f"{sign} {_grouped(node[key])}" for key, sign in signs.items() if key in node]
    return f" {', '.join(bounds)}" if bounds else ""


def _at_least(node: Mapping[str, Any]) -> str:
    return f", at least {node['minItems']}" if node.get("minItems") else ""


def default_of(value: Any) -> str:
    match value:
        case None:
            return "absent"
        case BaseModel():
            return "all defaults"
        case () | []:
            return "none"
        case dict() if not value:
            return "none"
        case bool() | str() | tuple() | list():
            return f"`{_plain(value)}`"
        case int() | float():
            return f"`{_grouped(value)}`{_in_words(value)}"
        case _:
            raise TypeError(f"no words for the default {value!r}")


def _in_words(value: float) -> str:
    """Powers of two are sizes in bytes, which nobody reads at a glance: ' (3 GiB)'."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20)):
        if value and value % size == 0:
            return f" ({value // size:.0f} {unit})"
    return ""


def _grouped(value: float) -> str:
    """A number as TOML may write it: 3_221_225_472."""
    return f"{int(value):_}" if float(value).is_integer() else f"{value:g}"


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _anchor(heading: str) -> str:
    """As GitHub makes them."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
