"""Read a signature: which parameter of a student's KD loss means what, in order of likelihood."""

from __future__ import annotations

import ast
import inspect
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from harness_kd.worker.knobs import is_number
from harness_kd.worker.names import NUMBERS, SURE, TENSORS, Role, affinity, assign, is_weight, number_role
from harness_kd.worker.reach import code_words, python_function
from harness_kd.worker.search import Function, Target

Parameter = inspect.Parameter
Reading = tuple[dict[Role, str], bool]
"""(role -> parameter name, whether it was guessed from the order)."""

_ROLES: tuple[Role, ...] = (*TENSORS, *NUMBERS, "settings")
_PAIR: tuple[Role, ...] = ("alpha", "temperature")
_MAX_READINGS = 12
VARIADIC = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


class Unbindable(Exception):
    """The parameters cannot be matched; the text says what was found."""


def signature(function: Any, target: Target) -> list[Parameter]:
    try:
        found = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        found = []
    if all(each.kind in VARIADIC for each in found):
        inner = None if inspect.isroutine(function) else python_function(function)
        behind = list(inspect.signature(inner).parameters.values())[1:] if inner is not None else []
        return _declared(target) or behind or found
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
            found = [Parameter(name, Parameter.POSITIONAL_ONLY) for name in names]
        rest = [Parameter(arguments.kwarg.arg, Parameter.VAR_KEYWORD)] if arguments.kwarg else []
        return found + rest
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


def readings(parameters: Sequence[Parameter]) -> list[Reading]:
    """Ways to read the parameters, likeliest first; several only where the names leave doubt.

    Raises:
        Unbindable: no reading gives the function its logits.
    """
    plain = [each for each in parameters if each.kind not in VARIADIC]
    required = [each.name for each in plain if each.default is Parameter.empty]
    numeric = [each.name for each in plain if is_number(each.default)]
    roles = assign(numeric, NUMBERS)
    others = [each.name for each in plain if each.name not in roles.values() and each.name not in numeric]
    roles |= assign(others, [role for role in _ROLES if role not in roles])
    spare = [name for name in required if name not in roles.values() and extra(name, {}) is None]
    spare = [name for name in spare if not _further(name, roles)]
    missing = [role for role in (*TENSORS, *_PAIR) if role not in roles]
    sure = len(spare) <= 1 and all(_score(roles, role) >= SURE for role in TENSORS if role in roles)
    first = roles | dict(zip(missing, spare, strict=False))
    if len(spare) <= len(missing) and "student" in first and "teacher" in first and sure:
        return [(first, bool(spare))]
    if all(role in roles and _score(roles, role) >= SURE for role in TENSORS):
        # What else it wants, features or a model, may be for something else; None shows whether it is.
        return [(roles, False)]
    guesses = list(itertools.islice(_by_order(roles, required), _MAX_READINGS))
    if len(spare) <= len(missing) and "student" in first and "teacher" in first:
        guesses = [first, *(guess for guess in guesses if guess != first)]
    if not guesses:
        raise Unbindable(_cannot([each.name for each in plain], spare[len(missing) :]))
    return [(guess, True) for guess in guesses[:_MAX_READINGS]]


def _further(name: str, roles: dict[Role, str]) -> bool:
    """Whether it is a second teacher or a second weight."""
    scores = affinity(name)
    if scores.get("teacher", 0) > SURE:
        return "teacher" in roles
    weight = max(scores.get("alpha", 0), scores.get("hard_weight", 0))
    least = 0 if all(role in roles for role in TENSORS) else SURE
    return weight > least and bool({"alpha", "hard_weight"} & roles.keys())


def further_teachers(parameters: Sequence[Parameter], roles: dict[Role, str]) -> list[str]:
    """Names of the other teachers, where there are several."""
    known = set(roles.values())
    return [each.name for each in parameters
            if each.name not in known and affinity(each.name).get("teacher", 0) > SURE
            and each.default is Parameter.empty and each.kind not in VARIADIC]  # fmt: skip


def weights_among(parameters: Sequence[Parameter], roles: dict[Role, str]) -> list[str]:
    """Parameters that may be weights of the two terms, once the other roles are given away."""
    taken = {name for role, name in roles.items() if role not in ("alpha", "hard_weight")}
    numeric = [each for each in parameters if each.name not in taken and each.kind not in VARIADIC]
    return [each.name for each in numeric if is_weight(each.name)
            and (each.default is Parameter.empty or is_number(each.default))]  # fmt: skip


def _score(roles: dict[Role, str], role: Role) -> int:
    return affinity(roles[role]).get(role, 0)


def _by_order(roles: dict[Role, str], required: list[str]) -> Iterator[dict[Role, str]]:
    """The tensors in every order, first (student, labels, teacher); then the numbers, if no name tells them."""
    clear = {role: name for role, name in roles.items() if role not in TENSORS and _score(roles, role) > SURE}
    free = [name for name in required if name not in clear.values() and extra(name, {}) is None]
    pair = [role for role in _PAIR if role not in clear]
    if not len(TENSORS) <= len(free) <= len(TENSORS) + len(pair):
        return
    numbers = free[len(TENSORS) :]
    for order in itertools.permutations(free[: len(TENSORS)]):
        for kinds in itertools.permutations(pair, len(numbers)):
            yield clear | dict(zip(TENSORS, order, strict=True)) | dict(zip(kinds, numbers, strict=True))


def keywords(function: Any, parameters: Sequence[Parameter], roles: dict[Role, str]) -> dict[str, Role]:
    """Names that a function with **kwargs takes α and T from, as its code spells them."""
    inner = python_function(function)
    if inner is None or all(each.kind is not Parameter.VAR_KEYWORD for each in parameters):
        return {}
    found = {word: number_role(word) for word in code_words(inner.__code__)}
    return {word: role for word, role in found.items() if role is not None and role not in roles}


def _cannot(names: list[str], spare: list[str]) -> str:
    unknown = f"; no value is known for {', '.join(spare)}" if spare else ""
    return f"its parameters are ({', '.join(names)}){unknown}"


def extra(name: str, tensors: dict[str, Any]) -> Any:
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
