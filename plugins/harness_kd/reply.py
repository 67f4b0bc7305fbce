"""Read the worker's reply to `kd`. It was written beside student code, so nothing in it is taken on trust."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harness.api import Reply
from harness_kd.reference import Array, Probe

if TYPE_CHECKING:
    from torch import Tensor

Kind = Literal["value", "none", "not_a_tensor", "not_scalar", "raised", "unreadable"]
_MOST_FUNCTIONS = 4
_MOST_READINGS = 160
KINDS: tuple[Kind, ...] = ("value", "none", "not_a_tensor", "not_scalar", "raised", "unreadable")


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What one probe gave. Texts are capped, one line, and the student's word.

    Attributes:
        value: the loss, maybe NaN; also of a plain number (`not_a_tensor`). None when there is none.
        gradient: float64, shaped as the student logits; None when detached or not given.
    """

    probe: Probe
    kind: Kind
    value: float | None = None
    gradient: Array | None = None
    shape: tuple[int, ...] = ()
    type_name: str = ""
    error: str = ""
    gradient_error: str = ""
    one_hot_error: str | None = None
    raises: str = ""
    """The builtin kind of exception."""
    wanted: tuple[str, ...] = ()
    """Forms of input without which it raises, such as "a larger batch"."""
    wrapped: str | None = None
    entry: str = ""
    mutated: tuple[str, ...] = ()
    repeat_differs: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """The function as the worker describes it."""

    name: str
    place: str
    """'model.py line 12'."""
    parameters: tuple[str, ...]
    notes: tuple[str, ...]
    code: tuple[tuple[int, str], ...]
    literals: frozenset[float]
    """Numbers that stand in its body."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One way the parameters were bound, and all that came of it.

    Attributes:
        plan: weight -> "alpha" or "hard_weight".
        teacher: "tensor", or the form it was given in: "list" and "stack" of two, "probabilities".
        own: "alpha" and "temperature" -> the student's own value, where it was left as it is; the probes have it.
        entries: how many of the returned values may be the loss; this is one of them.
    """

    found: Found
    roles: dict[str, str]
    where: dict[str, str]
    guessed: bool
    plan: dict[str, str]
    percent: bool
    teacher: str
    own: dict[str, float]
    entries: int
    teacher_gradient: bool
    outcomes: tuple[Outcome, ...]

    def of(self, *purposes: str) -> list[Outcome]:
        return [each for each in self.outcomes if each.probe.purpose in purposes]


def text(value: Any, most: int = 300) -> str:
    """One printable line of a claim."""
    line = " ".join(str(value).split()) if isinstance(value, str | int | float) else ""
    if not line.isprintable():
        line = "".join(character if character.isprintable() else "?" for character in line)
    return line[:most]


def texts(value: Any, most: int = 40, longest: int = 120) -> tuple[str, ...]:
    return tuple(text(each, longest) for each in value[:most]) if isinstance(value, list) else ()


def mapping(value: Any) -> dict[str, Any]:
    return {text(key): each for key, each in value.items()} if isinstance(value, dict) else {}


def function(facts: Mapping[str, Any]) -> Found:
    """The described function; anything missing or odd reads as empty."""
    return _function(mapping(facts.get("function")))


def _function(said: Mapping[str, Any]) -> Found:
    line = said.get("line")
    code = said.get("code")
    pairs = [pair for pair in code if isinstance(pair, list) and len(pair) == 2] if isinstance(code, list) else []
    return Found(
        name=text(said.get("name"), 80) or "the KD loss",
        place=re.sub(r"^.*/", "", text(said.get("file"))) + (f" line {line}" if isinstance(line, int) else ""),
        parameters=texts(said.get("parameters")),
        notes=texts(said.get("notes"), 4, 200),
        code=tuple((pair[0], text(pair[1])) for pair in pairs[:200] if isinstance(pair[0], int)),
        literals=frozenset(_numbers(said.get("literals"))),
    )


def _numbers(value: Any) -> list[float]:
    found = value[:100] if isinstance(value, list) else []
    return [float(each) for each in found if isinstance(each, int | float) and math.isfinite(each)]


def readings(reply: Reply, probes: Sequence[Probe]) -> list[Reading]:
    """Every attempt of the worker, each with one outcome per probe."""
    attempts, others = reply.facts.get("attempts"), reply.facts.get("functions")
    if not isinstance(attempts, list):
        return []
    functions = [_function(mapping(each)) for each in others[:_MOST_FUNCTIONS]] if isinstance(others, list) else []
    functions = functions or [function(reply.facts)]
    return [
        _reading(mapping(said), functions, number, reply.tensors, probes)
        for number, said in enumerate(attempts[:_MOST_READINGS])
    ]


def _reading(
    said: dict[str, Any],
    functions: Sequence[Found],
    number: int,
    tensors: Mapping[str, Tensor],
    probes: Sequence[Probe],
) -> Reading:
    outcomes, place, entries = mapping(said.get("outcomes")), said.get("function"), said.get("entries")
    own = {key: float(value) for key, value in mapping(said.get("own")).items()
           if key in ("alpha", "temperature") and isinstance(value, int | float) and math.isfinite(value)}  # fmt: skip
    return Reading(
        found=functions[place if isinstance(place, int) and 0 <= place < len(functions) else 0],
        roles=_texts_by_key(said.get("roles")),
        where=_texts_by_key(said.get("where")),
        guessed=said.get("guessed") is True,
        plan=_texts_by_key(said.get("plan")),
        percent=said.get("percent") is True,
        teacher=text(said.get("teachers"), 20),
        own=own,
        entries=entries if isinstance(entries, int) else 1,
        teacher_gradient=said.get("teacher_gradient") is True,
        outcomes=tuple(
            _outcome(_with_own(each, own), mapping(outcomes.get(each.name)), f"{number}/{each.name}", tensors)
            for each in probes
        ),
    )  # fmt: skip


def _texts_by_key(value: Any) -> dict[str, str]:
    return {key: text(each, 60) for key, each in mapping(value).items()}


def _with_own(probe: Probe, own: Mapping[str, float]) -> Probe:
    case = probe.case
    alpha, temperature = own.get("alpha", case.alpha), own.get("temperature", case.temperature)
    return replace(probe, case=replace(case, alpha=alpha, temperature=temperature)) if own else probe


def _outcome(probe: Probe, said: dict[str, Any], prefix: str, tensors: Mapping[str, Tensor]) -> Outcome:
    kind: Kind = said["kind"] if said.get("kind") in KINDS else "unreadable"
    value = _array(tensors.get(f"{prefix}/value"), ())
    if kind == "value" and value is None:
        kind = "unreadable"
    shape = said.get("shape")
    return Outcome(
        probe=probe,
        kind=kind,
        value=None if value is None else float(value),
        gradient=_array(tensors.get(f"{prefix}/gradient"), probe.case.student.shape),
        shape=tuple(each for each in shape[:8] if isinstance(each, int)) if isinstance(shape, list) else (),
        type_name=text(said.get("type"), 60),
        error=text(said.get("error"), 600),
        gradient_error=text(said.get("gradient_error"), 600),
        one_hot_error=text(said.get("one_hot_error"), 600) if said.get("one_hot") is True else None,
        raises=text(said.get("raises"), 60),
        wanted=texts(said.get("wanted"), 2),
        wrapped=text(said.get("wrapped"), 60) or None,
        entry=text(said.get("entry"), 60),
        mutated=tuple(name for name in texts(said.get("mutated")) if name in ("student", "labels", "teacher")),
        repeat_differs=said.get("repeat_differs") is True,
    )


def _array(tensor: Tensor | None, shape: tuple[int, ...]) -> Array | None:
    """The tensor's numbers, if it is what was asked for: float64 of that shape. NaN stays NaN."""
    import torch

    if not isinstance(tensor, torch.Tensor) or tensor.dtype != torch.float64 or tuple(tensor.shape) != shape:
        return None
    return np.array(tensor.detach().numpy(), dtype=np.float64)
