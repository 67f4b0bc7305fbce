"""Calling a student's KD loss: which parameter means what, and how α and T get in when they are no parameters."""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.worker.kd_find import Function, Target
from harness.worker.kd_knobs import Numbers, Settings, attribute_knobs, bare_instance, outside_knobs
from harness.worker.kd_names import NUMBERS, SURE, TENSORS, Role, affinity, assign

_ROLES: tuple[Role, ...] = (*TENSORS, *NUMBERS, "settings")
_MOST_ATTEMPTS = 6
Parameter = inspect.Parameter
Call = Callable[[dict[str, Any], Numbers], Any]
"""(tensors by role, α and T) -> whatever the student returns."""


class Unbindable(Exception):  # noqa: N818 - a finding about the submission, not a fault
    """The parameters cannot be matched; the text says what was found and expected."""


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """One reading of the function's parameters.

    Attributes:
        roles: role -> parameter name.
        where: "alpha" and "temperature" -> how the value gets in, such as "parameter T" or "global ALPHA"; a number
            that cannot be set is absent.
        make: builds a fresh callable (a new instance for a class) for one α and T.
    """

    roles: dict[Role, str]
    where: dict[str, str]
    make: Callable[[Numbers], Call]
    guessed: bool = False
    notes: list[str] = field(default_factory=list)


def attempts(loaded: Any, target: Target) -> list[Attempt]:
    """Readings of the parameters, likeliest first; several only where names leave doubt.

    Raises:
        Unbindable: no reading gives the function its logits.
    """
    owner = loaded if len(target.path) > 1 and inspect.isclass(loaded) else None
    sample = _bound_method(owner, target) if owner is not None else _instance_or_self(loaded)
    parameters = _parameters(sample, target)
    readings = _readings(parameters)
    return [_attempt(loaded, target, owner, parameters, roles, guessed) for roles, guessed in readings]


def _attempt(
    loaded: Any, target: Target, owner: type | None, parameters: list[Parameter], roles: dict[Role, str], guessed: bool
) -> Attempt:
    where: dict[str, str] = {role: f"parameter {roles[role]}" for role in NUMBERS if role in roles}
    if "settings" in roles:
        inside = f"parameter {roles['settings']}"
        where = {"alpha": inside, "temperature": inside, **where}
    if "hard_weight" in where:
        where.setdefault("alpha", where.pop("hard_weight"))

    def make(numbers: Numbers) -> Call:
        function = loaded if owner is None else _bound_method(owner, target, numbers)
        if owner is None and inspect.isclass(function):
            function = _instance(function, numbers)[0]
        for knob in outside_knobs(function):
            if knob.role not in where:
                knob.turn(numbers)
        return functools.partial(_call, function, parameters, roles)

    notes: list[str] = []
    if owner is not None or inspect.isclass(loaded):
        instance, built = _instance(owner or loaded, Numbers(0.5, 2.0))
        for role, text in built.items():
            where.setdefault("alpha" if role == "hard_weight" else role, text)
        for knob in attribute_knobs(instance):
            where.setdefault("alpha" if knob.role == "hard_weight" else knob.role, knob.where)
    function = loaded if owner is None else _bound_method(owner, target)
    for knob in outside_knobs(function):
        where.setdefault("alpha" if knob.role == "hard_weight" else knob.role, knob.where)
    return Attempt(roles, where, make, guessed, notes)


def _call(function: Any, parameters: list[Parameter], roles: dict[Role, str], tensors: dict[str, Any],
          numbers: Numbers) -> Any:  # fmt: skip
    values = {**tensors, "alpha": numbers.alpha, "hard_weight": 1 - numbers.alpha,
              "temperature": numbers.temperature, "settings": Settings(numbers)}  # fmt: skip
    given: dict[str, Any] = {name: values[role] for role, name in roles.items()}
    positional: list[Any] = []
    keyword: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD):
            continue
        if parameter.name not in given:
            if parameter.default is not Parameter.empty:
                continue
            given[parameter.name] = _extra(parameter.name, tensors)
        if parameter.kind is Parameter.POSITIONAL_ONLY:
            positional.append(given[parameter.name])
        else:
            keyword[parameter.name] = given[parameter.name]
    return function(*positional, **keyword)


def _parameters(function: Any, target: Target) -> list[Parameter]:
    try:
        found = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        found = []
    if all(each.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD) for each in found):
        return _declared(target) or found
    return found


def _declared(target: Target) -> list[Parameter]:
    """As written in the source: for decorators that hide the signature, and compiled functions."""
    if isinstance(target.node, Function):
        arguments = target.node.args
        plain = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
        skip = int(len(target.path) > 1 and plain[:1] in (["self"], ["cls"]))
        defaulted = set(plain[len(plain) - len(arguments.defaults) :])
        found = [_as_written(name, name in defaulted, Parameter.POSITIONAL_OR_KEYWORD) for name in plain[skip:]]
        pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        found += [_as_written(each.arg, default is not None, Parameter.KEYWORD_ONLY) for each, default in pairs]
        if not found and arguments.vararg:
            names = _unpacked(target.node) or ["student", "labels", "teacher"]
            return [Parameter(name, Parameter.POSITIONAL_ONLY) for name in names]
        return found
    return []


def _as_written(name: str, has_default: bool, kind: Any) -> Parameter:
    return Parameter(name, kind, default=None if has_default else Parameter.empty)


def _unpacked(node: ast.AST) -> list[str]:
    """The names of `student, labels, teacher = args`, for functions that only take *args."""
    for each in ast.walk(node):
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Tuple):
            names = [part.id for part in each.targets[0].elts if isinstance(part, ast.Name)]
            if len(names) >= len(TENSORS):
                return names
    return []


def _readings(parameters: Sequence[Parameter]) -> list[tuple[dict[Role, str], bool]]:
    plain = [each for each in parameters if each.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)]
    names = [each.name for each in plain]
    numeric = {each.name for each in plain if isinstance(each.default, int | float)}
    roles: dict[Role, str] = {}
    roles.update(assign(numeric, NUMBERS))
    roles.update(assign([name for name in names if name not in roles.values() and name not in numeric],
                        [role for role in _ROLES if role not in roles]))  # fmt: skip
    required = [each.name for each in plain if each.default is Parameter.empty]
    spare = [name for name in required if name not in roles.values() and _extra(name, {}) is None]
    missing: list[Role] = [role for role in TENSORS if role not in roles]
    missing += [role for role in ("alpha", "temperature") if role not in roles]
    doubtful = len(spare) > 1 or any(affinity(roles[role]).get(role, 0) < SURE for role in TENSORS if role in roles)
    roles.update(zip(missing, spare, strict=False))
    if len(spare) > len(missing) or "student" not in roles or "teacher" not in roles:
        raise Unbindable(_cannot(names, spare[len(missing) :]))
    return _permuted(roles, required) if doubtful else [(roles, bool(spare))]


def _permuted(roles: dict[Role, str], required: list[str]) -> list[tuple[dict[Role, str], bool]]:
    """The reading itself, then (student, labels, teacher) by position, then every other order."""
    tensors: list[Role] = [role for role in TENSORS if role in roles]
    names = sorted((roles[role] for role in tensors), key=lambda name: (name not in required, required.index(name)
                   if name in required else 0))  # fmt: skip
    found = [roles]
    for order in itertools.permutations(names):
        reading = roles | dict(zip(tensors, order, strict=True))
        if reading not in found:
            found.append(reading)
    return [(reading, True) for reading in found[:_MOST_ATTEMPTS]]


def _cannot(names: list[str], spare: list[str]) -> str:
    unknown = f"; no value is known for {', '.join(spare)}" if spare else ""
    return f"its parameters are ({', '.join(names)}){unknown}"


def _extra(name: str, tensors: dict[str, Any]) -> Any:
    """A value for a required parameter beyond the loss's own, by its name; None if there is none."""
    import torch

    student = tensors.get("student")
    rows, classes = student.shape if student is not None else (1, 1)
    known: dict[str, Any] = {
        "criterion": torch.nn.CrossEntropyLoss(), "ce": torch.nn.CrossEntropyLoss(),
        "ce_loss": torch.nn.CrossEntropyLoss(), "loss_fn": torch.nn.CrossEntropyLoss(),
        "criterion_ce": torch.nn.CrossEntropyLoss(), "hard_loss_fn": torch.nn.CrossEntropyLoss(),
        "criterion_kl": torch.nn.KLDivLoss(reduction="batchmean"), "kl": torch.nn.KLDivLoss(reduction="batchmean"),
        "kl_loss": torch.nn.KLDivLoss(reduction="batchmean"), "device": torch.device("cpu"),
        "num_classes": classes, "n_classes": classes, "classes": classes, "batch_size": rows, "epoch": 0,
    }  # fmt: skip
    return known.get(name.lower())


def _bound_method(owner: type | None, target: Target, numbers: Numbers | None = None) -> Any:
    assert owner is not None
    name = target.path[-1]
    if isinstance(inspect.getattr_static(owner, name, None), staticmethod | classmethod):
        return getattr(owner, name)
    instance = _instance(owner, numbers or Numbers(0.5, 2.0))[0]
    # An nn.Module is called as a whole, so that its hooks run as they would in training.
    return instance if name in ("forward", "__call__") and callable(instance) else getattr(instance, name)


def _instance_or_self(loaded: Any) -> Any:
    return _instance(loaded, Numbers(0.5, 2.0))[0] if inspect.isclass(loaded) else loaded


def _instance(owner: type, numbers: Numbers) -> tuple[Any, dict[Role, str]]:
    """A new instance with α and T in its constructor or attributes; and which went into the constructor."""
    parameters = [
        each for each in _parameters_of_class(owner)
        if each.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    ]  # fmt: skip
    roles = assign([each.name for each in parameters], (*NUMBERS, "settings"))
    values: dict[Role, Any] = {"alpha": numbers.alpha, "hard_weight": 1 - numbers.alpha,
                               "temperature": numbers.temperature, "settings": Settings(numbers)}  # fmt: skip
    given = {name: values[role] for role, name in roles.items()}
    for each in parameters:
        if each.name not in given and each.default is Parameter.empty:
            given[each.name] = _extra(each.name, {})
    positional = [given.pop(each.name) for each in parameters if each.kind is Parameter.POSITIONAL_ONLY]
    try:
        instance = owner(*positional, **given)
    except Exception:  # noqa: BLE001 - a class that needs models to be built may still have a usable loss
        instance, roles = bare_instance(owner), {}
    for knob in attribute_knobs(instance):
        if knob.role not in roles:
            knob.turn(numbers)
    return instance, {role: f"constructor argument {name}" for role, name in roles.items() if role in NUMBERS}


def _parameters_of_class(owner: type) -> list[Parameter]:
    try:
        return list(inspect.signature(owner).parameters.values())
    except (TypeError, ValueError):
        return []
