"""Follow a student's KD loss to the functions, classes and words of code that take part in it."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Iterator
from typing import Any


def python_function(function: Any) -> types.FunctionType | None:
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, types.MethodType):
        function = function.__func__
    if not isinstance(function, types.FunctionType | type):
        owner = type(function)
        function = getattr(owner, "forward", None) or getattr(owner, "__call__", None)  # noqa: B004 - the function itself
    return function if isinstance(function, types.FunctionType) else None


def is_own(thing: Any) -> bool:
    """Whether a function, class or module is the student's, not a library's."""
    name = thing.__name__ if isinstance(thing, types.ModuleType) else getattr(thing, "__module__", None)
    root = str(name or "").split(".")[0]
    if root in sys.stdlib_module_names and root != "__main__":
        return False
    place = str(getattr(sys.modules.get(root), "__file__", None) or "")
    return "site-packages" not in place and "dist-packages" not in place


def owner_of(function: Any) -> Any:
    """The instance, or the class of a classmethod, that a callable belongs to; None for a plain function."""
    if isinstance(function, types.MethodType):
        return function.__self__
    return None if isinstance(function, types.FunctionType | functools.partial) else function


def reachable(function: Any) -> list[types.FunctionType]:
    """Student's functions behind a callable: itself, those it names or encloses, and methods of what it uses."""
    found: list[types.FunctionType] = []
    queue: list[Any] = [python_function(function), *_parts(owner_of(function))]
    while queue and len(found) < 200:
        each = queue.pop(0)
        if isinstance(each, types.FunctionType) and each not in found and is_own(each):
            found.append(each)
            queue += [vars(each).get("__wrapped__"), *_named(each), *map(content, each.__closure__ or ())]
        elif each is not None and not isinstance(each, types.FunctionType):
            queue += [part for part in _methods(each) if part not in found]
    return found


def _named(function: types.FunctionType) -> Iterator[Any]:
    for name in code_names(function.__code__):
        value = function.__globals__.get(name)
        if value is not None and not isinstance(value, types.ModuleType):
            yield value


def _parts(owner: Any) -> list[Any]:
    """The owner and what it holds, such as modules of an nn.Module."""
    if owner is None:
        return []
    held = vars(owner) if hasattr(type(owner), "__dict__") else {}
    return [owner, *held.values(), *(held.get("_modules") or {}).values()]


def _methods(thing: Any) -> list[types.FunctionType]:
    """Functions of a student's class, or of a thing's class, its properties' included."""
    owner = thing if isinstance(thing, type) else type(thing)
    parts = [part for each in owner.__mro__ if is_own(each) and each is not object for part in vars(each).values()]
    plain = [
        part.fget if isinstance(part, property) else
        part.__func__ if isinstance(part, staticmethod | classmethod) else part for part in parts
    ]  # fmt: skip
    return [part for part in plain if isinstance(part, types.FunctionType)]


def content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def code_names(code: types.CodeType) -> Iterator[str]:
    """Global and attribute names used by the code and the functions nested in it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from code_names(constant)


def code_words(code: types.CodeType) -> set[str]:
    """Those names, and the texts among the constants: keys of dictionaries."""
    return {each for each in _constants(code) if isinstance(each, str)} | set(code_names(code))


def _constants(code: types.CodeType) -> Iterator[Any]:
    for constant in code.co_consts:
        yield constant
        if isinstance(constant, types.CodeType):
            yield from _constants(constant)


def has_hundred(functions: list[types.FunctionType]) -> bool:
    """Whether the code divides by 100 or multiplies by 0.01, as for a percentage."""
    constants = (each for function in functions for each in _constants(function.__code__))
    return any(isinstance(each, int | float) and each in (100, 0.01) for each in constants)
