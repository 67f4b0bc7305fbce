"""Find α and T that are not parameters: globals, closures, attributes and settings objects of a student's KD loss."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from harness_kd.worker.names import NUMBERS, Role, affinity

_CLEAR = 6
"""Globals called `a` or `w` are anything; only a clear name is set from outside."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """The two numbers of one probe."""

    alpha: float
    temperature: float

    def of(self, role: Role) -> float:
        return {"alpha": self.alpha, "hard_weight": 1 - self.alpha}.get(role, self.temperature)


@dataclass(frozen=True, slots=True, eq=False)
class Knob:
    """A place outside the parameters where α or T is read from."""

    role: Role
    where: str
    set: Callable[[float], None]

    def turn(self, numbers: Numbers) -> None:
        self.set(numbers.of(self.role))


class ConfigTable(dict[str, Any]):
    """Stands for `params`, `args`, `config`: any key or attribute that means α or T has its value."""

    def __init__(self, numbers: Numbers) -> None:
        super().__init__(alpha=numbers.alpha, temperature=numbers.temperature, T=numbers.temperature)
        self._numbers = numbers

    def __missing__(self, key: str) -> float:
        role = number_role(str(key))
        if role is None:
            raise KeyError(key)
        return self._numbers.of(role)

    def __getattr__(self, name: str) -> float:
        role = None if name.startswith("_") else number_role(name)
        if role is None:
            raise AttributeError(name)
        return self._numbers.of(role)

    def get(self, key: str, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default


def number_role(name: str) -> Role | None:
    """α, 1-α or T, if the name clearly says so."""
    scores = {role: score for role, score in affinity(name).items() if role in NUMBERS and score >= _CLEAR}
    return max(scores.items(), key=lambda scored: scored[1])[0] if scores else None


def is_number(value: Any) -> bool:
    """A Python, NumPy or zero-dimensional tensor number."""
    if isinstance(value, bool):
        return False
    return isinstance(value, int | float) or (getattr(value, "ndim", None) == 0 and hasattr(value, "item"))


def outside_knobs(function: Any) -> list[Knob]:
    """Globals, closure cells and attributes that the function, or a helper it calls, reads α or T from."""
    found = list(attribute_knobs(_owner(function)))
    for each in _reachable(function):
        found += _closure_knobs(each)
        names = set(code_names(each.__code__))
        for name in sorted(names & each.__globals__.keys()):
            value = each.__globals__[name]
            role = number_role(name)
            if role is not None and is_number(value):
                found.append(Knob(role, f"global {name}", functools.partial(each.__globals__.__setitem__, name)))
            elif not isinstance(value, types.ModuleType | types.FunctionType | types.BuiltinFunctionType):
                found += _container_knobs(name, value, code_words(each.__code__))
                found += attribute_knobs(value, name) if callable(value) else ()
    return found


def attribute_knobs(instance: Any, called: str = "self", *, depth: int = 2) -> Iterator[Knob]:
    """Attributes of an instance, and of the objects it holds, that mean α or T."""
    if instance is None or isinstance(instance, type | types.FunctionType | types.ModuleType):
        return
    held = getattr(instance, "__dict__", {})
    for name, value in list(held.items()):
        role = number_role(name)
        if role is not None and is_number(value):
            yield Knob(role, f"attribute {called}.{name}", functools.partial(_set_attribute, instance, name))
    for value in [*held.values(), *(held.get("_modules") or {}).values()] if depth else []:
        if hasattr(value, "__dict__") and callable(value) and not isinstance(value, type):
            yield from attribute_knobs(value, called, depth=depth - 1)
    for name, value in (held.get("_buffers") or {}).items():
        role = number_role(name)
        if role is not None and is_number(value):
            yield Knob(role, f"buffer {called}.{name}", value.fill_)


def bare_instance(owner: type) -> Any:
    """An instance whose constructor did not run; α and T appear under whatever names its code reads.

    For classes that want a student and a teacher model: their loss method seldom touches them.
    """
    import torch

    instance: Any = object.__new__(owner)
    if isinstance(instance, torch.nn.Module):
        torch.nn.Module.__init__(instance)
    for member in vars(owner).values():
        if isinstance(member, types.FunctionType) and member.__name__ != "__init__":
            for name in code_names(member.__code__):
                if number_role(name) is not None and not hasattr(owner, name):
                    _set_attribute(instance, name, 1.0)
    return instance


def _set_attribute(instance: Any, name: str, value: float) -> None:
    setattr(instance, name, value)


def _owner(function: Any) -> Any:
    if isinstance(function, types.MethodType):
        return function.__self__
    return None if isinstance(function, types.FunctionType | functools.partial) else function


def _reachable(function: Any) -> list[types.FunctionType]:
    """Python functions behind a callable, and those they call by global name, in the same module."""
    start = python_function(function)
    found: list[types.FunctionType] = []
    queue = [] if start is None else [start]
    while queue:
        each = queue.pop()
        if each in found or each.__module__.split(".")[0] == "torch":
            continue
        found.append(each)
        wrapped = getattr(each, "__wrapped__", None)
        helpers = [each.__globals__.get(name) for name in code_names(each.__code__)]
        helpers += [_content(cell) for cell in each.__closure__ or ()]
        queue += [
            helper for helper in (wrapped, *helpers)
            if isinstance(helper, types.FunctionType) and helper.__globals__ is each.__globals__
        ]  # fmt: skip
    return found


def python_function(function: Any) -> types.FunctionType | None:
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, types.MethodType):
        function = function.__func__
    if not isinstance(function, types.FunctionType | type):
        owner = type(function)
        function = getattr(owner, "forward", None) or getattr(owner, "__call__", None)  # noqa: B004 - the function itself
    return function if isinstance(function, types.FunctionType) else None


def _closure_knobs(function: types.FunctionType) -> Iterator[Knob]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        role = number_role(name)
        if role is not None and is_number(_content(cell)):
            yield Knob(role, f"enclosing variable {name}", functools.partial(setattr, cell, "cell_contents"))


def _container_knobs(name: str, value: Any, words: set[str]) -> Iterator[Knob]:
    """Numbers inside a global dictionary, namespace, dataclass or class that the code mentions."""
    if isinstance(value, dict):
        items, put = value.items(), value.__setitem__
    elif isinstance(value, type) or hasattr(value, "__dict__"):
        items, put = _members(value).items(), functools.partial(setattr, value)
    else:
        return
    for key, held in list(items):
        role = number_role(key) if isinstance(key, str) and key in words else None
        if role is not None and is_number(held):
            yield Knob(role, f"{name}.{key}", functools.partial(put, key))


def _members(value: Any) -> dict[str, Any]:
    owner = value if isinstance(value, type) else type(value)
    inherited = {} if owner.__module__.split(".")[0] in ("torch", "builtins") else dict(vars(owner))
    return inherited | dict(inspect.getmembers_static(value) if isinstance(value, type) else vars(value))


def _content(cell: types.CellType) -> Any:
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
    texts = {constant for constant in code.co_consts if isinstance(constant, str)}
    return texts | set(code_names(code))
