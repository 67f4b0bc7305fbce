"""Call a student's KD loss, and set α and T where they are no parameters."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness_kd.worker.hyperparameters import ConfigTable, Numbers, attribute_knobs, bare_instance, outside_knobs
from harness_kd.worker.names import NUMBERS, Role, assign
from harness_kd.worker.search import Target
from harness_kd.worker.signature import VARIADIC, Parameter, extra, keywords, readings, signature

Call = Callable[[dict[str, Any], Numbers], Any]
"""(tensors by role, α and T) -> whatever the student returns."""

_SAMPLE = Numbers(0.5, 2.0)


@dataclass(frozen=True, slots=True, eq=False)
class KdAttempt:
    """One reading of the function's parameters.

    Attributes:
        roles: role -> parameter name.
        where: "alpha" and "temperature" -> how the value gets in, such as "parameter T" or "global ALPHA"; a
            number that cannot be set is absent.
        make: builds a fresh callable (a new instance for a class) for one α and T.
        guessed: whether the order of the parameters decided, not their names.
    """

    roles: dict[Role, str]
    where: dict[str, str]
    make: Callable[[Numbers], Call]
    guessed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Bindable:
    """What was loaded and how to get a callable of it."""

    loaded: Any
    target: Target

    @property
    def owner(self) -> type | None:
        return self.loaded if inspect.isclass(self.loaded) else None

    def function(self, numbers: Numbers) -> Any:
        """The callable; for a class, of a new instance that has α and T where it takes them."""
        if self.owner is None:
            return self.loaded
        name = self.target.path[-1] if len(self.target.path) > 1 else "__call__"
        if isinstance(inspect.getattr_static(self.owner, name, None), staticmethod | classmethod):
            return getattr(self.owner, name)
        instance = _instance(self.owner, numbers)[0]
        # An nn.Module is called as a whole, so that its hooks run as they would in training.
        return instance if name in ("forward", "__call__") and callable(instance) else getattr(instance, name)


def attempts(loaded: Any, target: Target) -> list[KdAttempt]:
    """Readings of the parameters, likeliest first; several only where names leave doubt.

    Raises:
        Unbindable: no reading gives the function its logits.
    """
    bindable = Bindable(loaded, target)
    parameters = signature(bindable.function(_SAMPLE), target)
    return [_attempt(bindable, parameters, roles, guessed) for roles, guessed in readings(parameters)]


def _attempt(bindable: Bindable, parameters: Sequence[Parameter], roles: dict[Role, str], guessed: bool) -> KdAttempt:
    function = bindable.function(_SAMPLE)
    named = keywords(function, parameters, roles)
    inside = {role: f"parameter {name}" for role, name in roles.items() if role in NUMBERS}
    inside |= {role: f"keyword {word}" for word, role in named.items()}
    if "settings" in roles:
        text = f"parameter {roles['settings']}"
        inside = {"alpha": text, "hard_weight": text, "temperature": text, **inside}

    def make(numbers: Numbers) -> Call:
        fresh = bindable.function(numbers)
        for knob in outside_knobs(fresh):
            if knob.role not in inside:
                knob.turn(numbers)
        return functools.partial(_call, fresh, parameters, {**{name: role for role, name in roles.items()}, **named})

    where = _where(inside, bindable, function)
    return KdAttempt(roles, where, make, guessed)


def _where(inside: dict[Role, str], bindable: Bindable, function: Any) -> dict[str, str]:
    """How α (or 1-α) and T get in: parameters first, then the constructor, then what is set from outside."""
    places = [inside]
    if bindable.owner is not None:
        instance, built = _instance(bindable.owner, _SAMPLE)
        places += [built, {knob.role: knob.where for knob in attribute_knobs(instance)}]
    places.append({knob.role: knob.where for knob in outside_knobs(function)})
    found: dict[str, str] = {}
    for name, roles in (("alpha", ("alpha", "hard_weight")), ("temperature", ("temperature",))):
        texts = [place[role] for place in places for role in roles if role in place]
        if texts:
            found[name] = texts[0]
    return found


def _call(
    function: Any,
    parameters: Sequence[Parameter],
    roles: dict[str, Role],
    tensors: dict[str, Any],
    numbers: Numbers,
) -> Any:
    values: dict[str, Any] = {**_values(numbers), **tensors}
    given = {name: values[role] for name, role in roles.items()}
    positional: list[Any] = []
    for each in parameters:
        if each.kind in VARIADIC or (each.name not in given and each.default is not Parameter.empty):
            continue
        if each.name not in given:
            given[each.name] = extra(each.name, tensors)
        if each.kind is Parameter.POSITIONAL_ONLY:
            positional.append(given.pop(each.name))
    return function(*positional, **given)


def _values(numbers: Numbers) -> dict[str, Any]:
    return {"alpha": numbers.alpha, "hard_weight": 1 - numbers.alpha, "temperature": numbers.temperature,
            "settings": ConfigTable(numbers)}  # fmt: skip


def _instance(owner: type, numbers: Numbers) -> tuple[Any, dict[Role, str]]:
    """A new instance with α and T in its constructor or attributes; and which went into the constructor."""
    try:
        parameters = [each for each in inspect.signature(owner).parameters.values() if each.kind not in VARIADIC]
    except (TypeError, ValueError):
        parameters = []
    roles = assign([each.name for each in parameters], (*NUMBERS, "settings"))
    given = {name: _values(numbers)[role] for role, name in roles.items()}
    for each in parameters:
        if each.name not in given and each.default is Parameter.empty:
            given[each.name] = extra(each.name, {})
    positional = [given.pop(each.name) for each in parameters if each.kind is Parameter.POSITIONAL_ONLY]
    try:
        instance = owner(*positional, **given)
    except Exception:  # noqa: BLE001 - a class that needs models to be built may still have a usable loss
        instance, roles = bare_instance(owner), {}
    for knob in attribute_knobs(instance):
        if knob.role not in roles:
            knob.turn(numbers)
    return instance, {role: f"constructor argument {name}" for role, name in roles.items() if role in NUMBERS}
