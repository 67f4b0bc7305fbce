"""Makes the table of operators in docs/graph.md from the code. cog calls it, from the root of the repository."""

from __future__ import annotations

import inspect
from itertools import groupby

from harness.graph.operators import Operator, operators
from harness.graph.shapes import Limits


def operator_table() -> str:
    """Every operator by group: those without anything special in a list, the others in a table."""
    parts = [""]
    for group, rows in groupby(operators().values(), key=lambda row: row.group):
        every = list(rows)
        plain = [row for row in every if not _special(row)]
        parts.append(f"### {group}\n")
        if plain:
            parts.append(", ".join(f"`{row.name}`" for row in plain) + "\n")
        if len(plain) < len(every):
            parts += ["| operators | multiply-accumulates | rule | run by |", "| --- | --- | --- | --- |"]
            special = [row for row in every if _special(row)]
            parts += [_line(key, list(alike)) for key, alike in groupby(special, key=_cells)]
            parts.append("")
    return "\n".join(parts) + "\n"


def limits_table() -> str:
    """The bounds, with what they are now."""
    lines = ["", "| limit | value |", "| --- | --- |"]
    lines += [f"| `{name}` | {field.default:,} |" for name, field in Limits.model_fields.items()]
    return "\n".join([*lines, "", ""])


def _special(row: Operator) -> bool:
    return any((row.macs, row.rule, row.runs and row.name.startswith("aten."), row.creates))


def _cells(row: Operator) -> tuple[str, ...]:
    return (_said(row.macs), _said(row.rule), _runs(row))


def _line(cells: tuple[str, ...], rows: list[Operator]) -> str:
    return f"| {' | '.join((', '.join(f'`{row.name}`' for row in rows), *cells))} |"


def _said(function: object) -> str:
    """The first sentence of a function's docstring; a made rule takes it from its maker."""
    if function is None:
        return ""
    maker = str(getattr(function, "__qualname__", "")).partition(".")[0]
    documented = getattr(inspect.getmodule(function), maker, function)
    text = " ".join((inspect.getdoc(documented) or "").split())
    return text.replace("|", "\\|")


def _runs(row: Operator) -> str:
    if row.creates:
        return "itself, on the replay's device" if row.runs is None else "zeros, on the replay's device"
    name = getattr(row.runs, "__name__", str(row.runs or ""))
    words = {
        "_same": "its argument",
        "_laid_out": "its argument, laid out as asked",
        "_zeros_like": "zeros",
        "_new_zeros": "zeros",
    }
    return words.get(name, "`reshape`" if row.runs else "")
