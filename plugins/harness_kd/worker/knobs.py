"""Find where a student's KD loss keeps α and T outside its parameters, and set them there.

Globals, closures, attributes, class attributes, and whatever settings are kept in: dictionaries, dataclasses,
namespaces, named tuples, modules, one inside the other.
"""

from __future__ import annotations

import contextlib
import functools
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from harness_kd.worker.names import Role, number_role
from harness_kd.worker.reach import code_names, content, is_own, owner_of, reachable
from harness_kd.worker.weights import ConfigTable, Numbers

Put = Callable[[Any], None]
_DEPTH = 5
_MOST = 400
_TRANSPARENT = ("_parameters", "_buffers", "_modules", "_fields", "__dict__")
"""Tables that are no part of the path a student writes."""


@dataclass(frozen=True, slots=True, eq=False)
class Knob:
    """A place outside the parameters where a number is read from.

    Attributes:
        role: what the name says; of a weight, the reading's plan may say otherwise.
        where: for people: "global ALPHA", "cfg.kd.alpha".
        value: what the student has there.
    """

    role: Role
    name: str
    where: str
    value: Any
    put: Put

    def turn(self, numbers: Numbers) -> None:
        value = numbers.named(self.name)
        if value is not None:
            with contextlib.suppress(Exception):  # What refuses to be set stays, and is seen to be out of reach.
                self.put(_like(self.value, value))

    def back(self) -> None:
        self.put(self.value)


def is_number(value: Any) -> bool:
    """A Python or NumPy number, or a tensor of one element."""
    import numpy as np
    import torch

    # By type alone: a settings object may answer, or raise, whatever it is asked for.
    if isinstance(value, torch.Tensor):
        return value.numel() == 1
    if isinstance(value, np.ndarray):
        return value.ndim == 0
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _like(old: Any, value: float) -> Any:
    """The number as the kind of thing that was there; whole numbers stay no whole numbers."""
    import torch

    if not isinstance(old, torch.Tensor):
        return value
    new = torch.full_like(old, value, dtype=old.dtype if old.is_floating_point() else torch.float32)
    return torch.nn.Parameter(new.detach(), old.requires_grad) if isinstance(old, torch.nn.Parameter) else new.detach()


def knobs(function: Any) -> list[Knob]:
    """All places from which the function, and what it calls, may read α or T."""
    functions = reachable(function)
    seen: set[int] = set()
    found = list(_within(owner_of(function), "attribute self", None, seen))
    for each in functions:
        for name in dict.fromkeys(code_names(each.__code__)):
            if name in each.__globals__:
                put = functools.partial(each.__globals__.__setitem__, name)
                found += _at(name, each.__globals__[name], put, f"global {name}", seen)
        for name, cell in zip(each.__code__.co_freevars, each.__closure__ or (), strict=False):
            held = content(cell)
            put = functools.partial(setattr, cell, "cell_contents")
            found += _at(name, held, put, f"enclosing variable {name}", seen)
    first: dict[str, Knob] = {}
    for knob in found:  # an attribute hides that of its class
        first.setdefault(knob.where, knob)
    return list(first.values())[:_MOST]


def attribute_knobs(instance: Any) -> list[Knob]:
    return list(_within(instance, "attribute self", None, set()))


def _at(name: str, held: Any, put: Put, where: str, seen: set[int]) -> Iterator[Knob]:
    """The number itself, or those within what is held there."""
    role = number_role(name)
    if is_number(held):
        if role is not None:
            yield Knob(role, name, where, held, put)
    else:
        yield from _within(held, name, put, seen)


def _within(thing: Any, path: str, put: Put | None, seen: set[int], depth: int = _DEPTH) -> Iterator[Knob]:
    """Numbers in a table, sequence, object or class, and in those inside it.

    Args:
        put: replaces the thing where it is held; for named tuples, which cannot be changed.
    """
    plain = isinstance(thing, str | bytes | types.FunctionType | ConfigTable)
    if depth == 0 or thing is None or id(thing) in seen or plain:
        return
    seen.add(id(thing))
    for name, held, set_to in _members(thing, put):
        inner = path if name in _TRANSPARENT else f"{path}.{name}" if path else name
        role = number_role(name)
        if role is not None and is_number(held):
            yield Knob(role, name, inner, held, set_to)
        elif not is_number(held):
            yield from _within(held, inner, set_to, seen, depth - 1)


def _members(thing: Any, put: Put | None) -> Iterator[tuple[str, Any, Put]]:
    """(name, what is there, how to replace it)."""
    fields = getattr(type(thing), "_fields", ())
    if isinstance(thing, tuple) and fields and put is not None:
        changed: dict[str, Any] = {}
        for name in fields:
            yield name, getattr(thing, name), functools.partial(_replace, thing, changed, name, put)
        return
    if isinstance(thing, dict):
        named = [(name, held) for name, held in thing.items() if isinstance(name, str)]
        yield from ((name, held, functools.partial(dict.__setitem__, thing, name)) for name, held in named)
    elif isinstance(thing, list | tuple):
        inner = [(at, held) for at, held in enumerate(thing[:20]) if not is_number(held)]
        yield from ((str(at), held, functools.partial(_set_item, thing, at)) for at, held in inner)
    foreign = isinstance(thing, types.ModuleType) and not is_own(thing)
    if not foreign and not isinstance(thing, types.BuiltinFunctionType | types.MethodType) and not is_tensor(thing):
        yield from _attributes(thing)


def _replace(thing: Any, changed: dict[str, Any], name: str, put: Put, value: Any) -> None:
    """A named tuple is replaced whole, with what was changed before."""
    changed[name] = value
    put(thing._replace(**changed))


def _set_item(thing: Any, number: int, value: Any) -> None:
    if isinstance(thing, list):
        thing[number] = value


def is_tensor(thing: Any) -> bool:
    import torch

    return isinstance(thing, torch.Tensor)


def _held(thing: Any) -> dict[str, Any]:
    """Its attributes, asked of the object itself, not of its class's __getattr__."""
    try:
        held = object.__getattribute__(thing, "__dict__")
    except AttributeError:
        return {}
    return held if isinstance(held, dict) else {}


def _attributes(thing: Any) -> Iterator[tuple[str, Any, Put]]:
    is_class = isinstance(thing, type)
    if is_class and not is_own(thing):
        return
    if not is_class:
        held = _held(thing)
        for name, value in list(held.items()):
            # A frozen dataclass has its own __setattr__, which refuses.
            yield name, value, functools.partial(held.__setitem__, name)
    for owner in (thing if is_class else type(thing)).__mro__:
        if not is_own(owner) or owner is object:
            continue
        for name, value in list(vars(owner).items()):
            if isinstance(value, types.MemberDescriptorType):
                with contextlib.suppress(AttributeError):
                    yield name, object.__getattribute__(thing, name), functools.partial(object.__setattr__, thing, name)
            elif not name.startswith("__") and (is_number(value) or isinstance(value, type | dict)):
                yield name, value, functools.partial(type.__setattr__, owner, name)
