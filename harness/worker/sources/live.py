"""Stand in for a submission's sources where there is none but an object of this process: in notebooks.

The cell or file that the object was defined in is read as a submission's would be, so that what is found in it, and
said of it, is the same.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import linecache
import types
from pathlib import Path
from typing import Any

from harness.worker.sources.definitions import Located
from harness.worker.sources.named import Definition, definitions_in
from harness.worker.sources.text import SourceText, parsed

CELL = "notebook"


class LiveSources:
    """`Sources` of a single function, class or instance; of nothing, for None."""

    def __init__(self, thing: Any) -> None:
        self._thing = thing
        self.name = name_of(thing)

    def names(self) -> list[Definition]:
        """What stands beside it, and itself."""
        if self._thing is None:
            return []
        found = _beside(self._thing)
        own = [each for each in found if each.name == self.name]
        line = _first_line(self._thing)
        defined = [each for each in own if _starts(each.node) == line] or own[-1:]
        if not defined:
            defined = [Definition(self.name, "function", CELL, 1, _made_up(self._thing), CELL)]
        return [*(each for each in found if each.name != self.name), *defined]

    def load(self, name: str) -> Located:
        """The object, whatever name its definition has."""
        return Located(self._thing, name, CELL, 1, ())


def name_of(thing: Any) -> str:
    """As its definition calls it; of a lambda, what it is assigned to."""
    name = str(getattr(thing, "__name__", type(thing).__name__))
    if name != "<lambda>":
        return name
    line = _first_line(thing)
    assigned = [each.name for each in _beside(thing) if each.kind == "assignment" and each.line == line]
    return assigned[0] if assigned else name


def _beside(thing: Any) -> list[Definition]:
    """Definitions in the file or cell; none where its text is gone."""
    code = _code(thing)
    file = _file_of_class(thing) if code is None else code.co_filename
    lines = linecache.getlines(file) if file else []
    label = Path(file).name if file and Path(file).is_file() else CELL
    chunk = parsed(label, "".join(lines).replace("\r\n", "\n"))
    return [dataclasses.replace(each, path=label) for each in definitions_in(SourceText(label, (chunk,)))]


def _code(thing: Any) -> types.CodeType | None:
    while hasattr(thing, "__wrapped__"):
        thing = thing.__wrapped__
    function = thing.__func__ if isinstance(thing, types.MethodType) else thing
    return function.__code__ if isinstance(function, types.FunctionType) else None


def _file_of_class(thing: Any) -> str | None:
    """Where a class, or the class of an instance, stands: where its methods do."""
    owner = thing if isinstance(thing, type) else type(thing)
    methods = (each for each in vars(owner).values() if isinstance(each, types.FunctionType))
    return next((each.__code__.co_filename for each in methods), None)


def _first_line(thing: Any) -> int | None:
    code = _code(thing)
    return None if code is None else code.co_firstlineno


def _starts(node: ast.stmt) -> int:
    """Its first line, decorators included."""
    decorators: list[int] = [each.lineno for each in getattr(node, "decorator_list", [])]
    return min([node.lineno, *decorators])


def _made_up(thing: Any) -> ast.FunctionDef:
    """A definition without a body, from the signature alone."""
    try:
        parameters = ", ".join(inspect.signature(thing).parameters)
    except (TypeError, ValueError):
        parameters = "*args"
    made = ast.parse(f"def loss({parameters}): pass").body[0]
    assert isinstance(made, ast.FunctionDef)
    return made
