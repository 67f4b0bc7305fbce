"""Say what to write instead of a value that an assignment file cannot have."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from harness.text import suggestion

_POWERS = {"": 0, "k": 1, "m": 2, "g": 3}
_NUMBER = re.compile(r"([+-]?\d[\d_,']*(?:\.\d+)?)\s*(%|[kmg]?)(i?)b?", re.IGNORECASE)
"""As people write them in words: '60k', '3 GiB', '84 %', '1,000'."""


def cure(error: Mapping[str, Any], property_schema: Mapping[str, Any]) -> str:
    """What to write, to stand behind what is wrong; nothing where the mistake says it.

    Args:
        error: one of pydantic's, with `type`, `input` and perhaps `ctx`.
        property_schema: the key's part of the model's JSON schema; {} where nobody knows it.
    """
    kind, given = str(error["type"]), error["input"]
    key = str(error["loc"][-1]) if error["loc"] else ""
    limits = error.get("ctx", {})
    match kind:
        case "missing":
            return _example(key, property_schema)
        case "bool_type" | "bool_parsing":
            return "; write true or false, without quotes"
        case "literal_error" if isinstance(given, str):
            return suggestion(given.lower().replace(" ", "_"), re.findall(r"'([^']*)'", limits["expected"]))
        case "string_type" | "string_pattern_mismatch" | "tuple_type" | "list_type":
            return _written(kind, given)
    if kind.startswith(("int_", "float_")):
        return _as_number(given, whole=kind.startswith("int_"))
    return _on_other_scale(kind, key, given, limits)


def _written(kind: str, given: Any) -> str:
    """In the quotes, brackets or letters that it lacks."""
    if kind == "string_type":
        return f'; put it between quotes: "{given}"' if isinstance(given, int | float) else ""
    if kind == "string_pattern_mismatch":
        plain = re.sub(r"[^a-z0-9_.-]+", "-", str(given).lower()).strip("-_.")
        return f"; write small letters, digits, _ . and - only{plain and f': {plain}'}"
    return f"; write [{_toml(given)}]" if isinstance(given, str | int | float) else ""


def _as_number(given: Any, *, whole: bool) -> str:
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        return ""
    if isinstance(given, int | float):
        return f"; write {int(given)}" if math.isfinite(given) and given == int(given) else "; whole numbers only"
    found = _NUMBER.fullmatch(given.strip())
    if not found:
        return "; write a number, without quotes"
    times = 0.01 if found[2] == "%" else (1024 if found[3] else 1000) ** _POWERS[found[2].lower()]
    number = times * float(re.sub(r"[_,']", "", found[1]))
    if whole and number != int(number):
        return "; whole numbers only"
    return f"; write {number:.0f}, without quotes" if number == int(number) else f"; write {number:g}, without quotes"


def _on_other_scale(kind: str, key: str, given: Any, limits: Mapping[str, Any]) -> str:
    """What a percentage would be where a fraction is wanted, and megabytes where bytes are."""
    if not isinstance(given, int | float):
        return ""
    if kind in ("less_than_equal", "less_than") and 1 in limits.values() and 1 < given <= 100:
        return f": a fraction is wanted, and {given:g} % is {given / 100:g}"
    if kind == "greater_than_equal" and key.endswith("_bytes") and given * 2**20 >= limits["ge"]:
        return f": bytes are wanted, and {given:g} MiB are {given * 2**20:.0f}"
    return ""


def _example(key: str, schema: Mapping[str, Any]) -> str:
    """A line that could stand there: 'write higher_is_better = true, or false'."""
    if "enum" in schema:
        return f"; write {key} = {' or '.join(map(_toml, schema['enum']))}"
    forms = {
        "boolean": f"{key} = true, or {key} = false",
        "integer": f"{key} = and a whole number",
        "number": f"{key} = and a number",
        "string": f'{key} = "…"',
        "array": f"{key} = […]",
    }
    form = forms.get(str(schema.get("type")))
    return f"; write {form}" if form else ""


def _toml(value: str | float) -> str:
    return f'"{value}"' if isinstance(value, str) else f"{value}"
