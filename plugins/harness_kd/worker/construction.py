"""Make an instance of a student's loss class, with α and T where its constructor takes them."""

from __future__ import annotations

import inspect
import types
from typing import Any

from harness_kd.worker.knobs import is_number
from harness_kd.worker.names import Role, affinity, assign, is_weight, number_role
from harness_kd.worker.reach import code_names, code_words
from harness_kd.worker.signature import VARIADIC, Parameter, extra
from harness_kd.worker.weights import ConfigTable, Numbers


def constructor_numbers(owner: type) -> dict[str, Role]:
    """Name -> role of the numbers a constructor takes, as their names alone say."""
    parameters = _parameters(owner)
    names = [each.name for each in parameters if each.default is Parameter.empty or is_number(each.default)]
    found: dict[str, Role] = {name: role for role, name in assign(names, ("temperature",)).items()}
    weights = [name for name in names if name not in found and is_weight(name)]
    found |= {name: number_role(name) or "alpha" for name in weights}
    return found | {word: role for word in sorted(_keywords(owner)) if (role := number_role(word)) is not None}


def settings_of(owner: type) -> str | None:
    """The constructor's parameter for settings, such as `cfg`."""
    return assign([each.name for each in _parameters(owner)], ("settings",)).get("settings")


def constructed(owner: type, numbers: Numbers) -> Any:
    """A new instance; one whose constructor did not run, where it wants what nobody has."""
    parameters = _parameters(owner)
    given: dict[str, Any] = {name: _value(name, role, numbers) for name, role in constructor_numbers(owner).items()}
    settings = assign([each.name for each in parameters if each.name not in given], ("settings",))
    given |= {name: ConfigTable(numbers) for name in settings.values()}
    for each in parameters:
        if each.name not in given and each.default is Parameter.empty:
            given[each.name] = extra(each.name, {})
    positional = [given.pop(each.name) for each in parameters if each.kind is Parameter.POSITIONAL_ONLY]
    try:
        return owner(*positional, **given)
    except Exception:  # noqa: BLE001 - a class that needs models to be built may still have a usable loss
        return bare_instance(owner, numbers)


def _value(name: str, role: Role, numbers: Numbers) -> float:
    value = numbers.named(name)
    return numbers.of(role) if value is None else value


def _parameters(owner: type) -> list[Parameter]:
    try:
        return [each for each in inspect.signature(owner).parameters.values() if each.kind not in VARIADIC]
    except (TypeError, ValueError):
        return []


def _keywords(owner: type) -> set[str]:
    """Words in the code of a constructor that takes **kwargs."""
    made = vars(owner).get("__init__")
    if not isinstance(made, types.FunctionType) or not made.__code__.co_flags & inspect.CO_VARKEYWORDS:
        return set()
    return {each for each in code_words(made.__code__) - set(made.__code__.co_names) if each.isidentifier()}


def bare_instance(owner: type, numbers: Numbers) -> Any:
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
                made = 1.0 if number_role(name) is not None else ConfigTable(numbers)
                if not hasattr(owner, name) and (made == 1.0 or "settings" in affinity(name)):
                    object.__setattr__(instance, name, made)
    return instance
