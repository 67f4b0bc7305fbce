"""Check a node's arguments against the types in its operator's schema.

torch checks this too, but not everywhere: an int where a dtype belongs ends the process. So it is checked here, on
plain values, before torch sees anything. What a reference stands for is known when the graph runs on meta tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import torch

from harness.values.graph import Argument, ElementType, MemoryFormat, Node, Result, Special, Stored

_NUMBERS = (int, float, Special, Result)
# By what schemas call them. An int may stand where a float is expected, and a number where a tensor is.
_KINDS: Mapping[str, tuple[type, ...]] = {
    "Tensor": (Result, Stored, bool, int, float, Special),
    "int": (int, Result),
    "SymInt": (int, Result),
    "float": _NUMBERS,
    "number": (*_NUMBERS, bool),
    "bool": (bool,),
    "str": (str,),
    "ScalarType": (ElementType,),
    "MemoryFormat": (MemoryFormat,),
}
_MOST_OF_SIZES = 2  # arithmetic of sizes


def wrong_arguments(node: Node) -> str | None:
    """What is wrong with a node's arguments; None if nothing. Its operator must be known."""
    if not node.operator.startswith("aten."):
        sizes = len(node.arguments) in (1, _MOST_OF_SIZES) and not node.keywords
        fitting = sizes and all(isinstance(each, int | float | Result) for each in node.arguments)
        return None if fitting else "it takes one or two sizes"
    positional, keywords = _schema(node.operator)
    if len(node.arguments) > len(positional):
        return f"it takes at most {len(positional)} arguments"
    if unknown := node.keywords.keys() - keywords:
        return f"it takes no argument named {min(unknown)!r}"
    given = dict(zip(positional, node.arguments, strict=False)) | node.keywords
    for name, (kind, required) in (*positional.items(), *keywords.items()):
        if name not in given and required:
            return f"it needs {name!r}"
        if name in given and not _fits(given[name], kind):
            return f"it does not take such a value as {name!r}"
    return None


_Expected = dict[str, tuple[str, bool]]


@cache
def _schema(operator: str) -> tuple[_Expected, _Expected]:
    """Positional arguments and those that are only given by name: the kind of each, and whether it must be given.

    The trace writes positional ones by position, as torch hands them on; rules and formulas rely on that.
    """
    _, packet, overload = operator.split(".")
    schema = getattr(getattr(torch.ops.aten, packet), overload)._schema  # noqa: SLF001 - what torch itself prints
    kinds = [(each, (str(each.real_type), not each.has_default_value())) for each in schema.arguments]
    return (
        {each.name: kind for each, kind in kinds if not each.kwarg_only},
        {each.name: kind for each, kind in kinds if each.kwarg_only},
    )


def _fits(argument: Argument, kind: str) -> bool:
    if kind.startswith("Optional["):
        return argument is None or _fits(argument, _inside(kind))
    if kind.startswith("List["):
        parts = argument if isinstance(argument, tuple) else (argument,)  # torch takes 3 for [3, 3]
        return all(_fits(each, _inside(kind)) for each in parts)
    if isinstance(argument, bool):  # to Python a bool is an int
        return bool in _KINDS.get(kind, ())
    return isinstance(argument, _KINDS.get(kind, ()))


def _inside(kind: str) -> str:
    return kind.partition("[")[2][:-1]
