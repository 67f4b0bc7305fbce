"""Call a student's KD loss, and set α and T where they are no parameters."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness_kd.worker.code import gathers
from harness_kd.worker.construction import constructed, constructor_numbers, settings_of
from harness_kd.worker.forms import LOG_SOFTENED, SEVERAL, SOFTENED, Path, TeacherForm
from harness_kd.worker.knobs import Knob, knobs
from harness_kd.worker.names import NUMBERS, Role, number_role, tokens
from harness_kd.worker.reach import code_words, has_hundred, reachable
from harness_kd.worker.search import Target
from harness_kd.worker.signature import (
    VARIADIC,
    Parameter,
    extra,
    further_teachers,
    keywords,
    readings,
    signature,
    weights_among,
)
from harness_kd.worker.weights import ConfigTable, Numbers, Plan, plans

Call = Callable[[dict[str, Any], Numbers], Any]
"""(tensors by role, α and T) -> whatever the student returns."""

_SAMPLE = Numbers(0.5, 2.0)
_MOST = 32
_PAIR: tuple[Role, ...] = ("alpha", "temperature")


@dataclass(frozen=True, slots=True, eq=False)
class KdAttempt:
    """One reading of the function's parameters, and of what it returns.

    Attributes:
        roles: role -> parameter name.
        where: "alpha" and "temperature" -> how the value gets in, such as "parameter T" or "global ALPHA"; a
            number that cannot be set is absent.
        make: builds a fresh callable (a new instance for a class) for one α and T.
        restore: puts back whatever `make` has set outside.
        plan: what weights mean.
        guessed: whether the order of the parameters decided, not their names.
        teacher: whether several teachers are given, and how.
        own: "alpha" and "temperature" -> the student's own value, where those are left as they are.
        path: where in what is returned the loss is taken from; `entry` in words.
    """

    roles: dict[Role, str]
    where: dict[str, str]
    make: Callable[[Numbers], Call]
    restore: Callable[[], None]
    plan: Plan
    guessed: bool = False
    percent: bool = False
    teacher: TeacherForm = "tensor"
    own: dict[str, float] = field(default_factory=dict)
    path: Path = ()
    entry: str = ""

    def numbers(self, alpha: float, temperature: float) -> Numbers:
        return Numbers(alpha, temperature, self.plan, self.percent)


@dataclass(frozen=True, slots=True, eq=False)
class Bindable:
    """What was loaded and how to get a callable of it."""

    loaded: Any
    target: Target

    @property
    def owner(self) -> type | None:
        return self.loaded if inspect.isclass(self.loaded) else None

    @property
    def arguments(self) -> dict[str, Role]:
        """Numbers that a class's constructor takes."""
        return {} if self.owner is None else constructor_numbers(self.owner)

    def function(self, numbers: Numbers) -> Any:
        """The callable; for a class, of a new instance that has α and T where its constructor takes them."""
        if self.owner is None:
            return self.loaded
        name = self.target.path[-1] if len(self.target.path) > 1 else "__call__"
        if isinstance(inspect.getattr_static(self.owner, name, None), staticmethod | classmethod):
            return getattr(self.owner, name)
        instance = constructed(self.owner, numbers)
        # An nn.Module is called as a whole, so that its hooks run as they would in training.
        return instance if name in ("forward", "__call__") and callable(instance) else getattr(instance, name)


def attempts(loaded: Any, target: Target) -> list[KdAttempt]:
    """Readings of the parameters, likeliest first; several only where names leave doubt.

    Raises:
        Unbindable: no reading gives the function its logits.
    """
    bindable = Bindable(loaded, target)
    function = bindable.function(_SAMPLE)
    parameters = signature(function, target)
    found = [
        attempt
        for roles, guessed in readings(parameters)
        for attempt in _Reading(bindable, function, parameters, roles, guessed).attempts()
    ]
    return sorted(found, key=lambda attempt: bool(attempt.own))[:_MOST]


class _Reading:
    """One way to read the tensors' names, from which readings of the numbers follow."""

    def __init__(
        self, bindable: Bindable, function: Any, parameters: Sequence[Parameter], roles: dict[Role, str], guessed: bool
    ) -> None:
        self.bindable, self.parameters, self.roles, self.guessed = bindable, parameters, roles, guessed
        self.arguments = bindable.arguments
        table = settings_of(bindable.owner) if bindable.owner is not None else None
        self.settings: dict[Role, str] = dict.fromkeys(_PAIR, f"constructor argument {table}") if table else {}
        self.keywords = keywords(function, parameters, roles)
        self.teachers = _teacher_forms(bindable.target, roles.get("teacher", ""))
        self.further = further_teachers(parameters, roles)
        self.names = {each.name for each in parameters if each.kind not in VARIADIC}
        functions = reachable(function)
        self.words = set[str]().union(*(code_words(each.__code__) for each in functions))
        self.percents = [False, True] if has_hundred(functions) else [False]
        self.outside = [knob for knob in knobs(function) if not self._built(knob)]

    def attempts(self) -> Iterator[KdAttempt]:
        for teacher, plan, percent in itertools.product(self.teachers, self._plans(), self.percents):
            inside = self._inside(plan)
            where = _where([inside, *({_role(knob, plan): knob.where} for knob in self.outside), self.settings])
            make = functools.partial(self._make, plan, inside)
            yield KdAttempt(self.roles, where, make, self.restore, plan, self.guessed, percent, teacher)
            own = self._own(inside, plan)
            if own:
                untouched = functools.partial(self._make, plan, None)
                yield KdAttempt(self.roles, where, untouched, self.restore, plan, self.guessed, percent, teacher, own)

    def restore(self) -> None:
        """Put back what was found in globals, closures and settings."""
        for knob in self.outside:
            knob.back()

    def _built(self, knob: Knob) -> bool:
        """Whether the constructor has set it already."""
        held_by_it = knob.where.startswith("attribute self") and self.bindable.owner is not None
        sides = {role if role == "temperature" else "alpha" for role in self.arguments.values()}
        return held_by_it and ("temperature" if knob.role == "temperature" else "alpha") in sides

    def _plans(self) -> list[Plan]:
        names = [*weights_among(self.parameters, self.roles), *self.arguments, *self.keywords]
        names += [knob.name for knob in self.outside if knob.name in self.words]
        if "settings" in self.roles or self.settings:
            names += sorted(word for word in self.words if number_role(word) not in (None, "temperature"))
        return plans(names)

    def _inside(self, plan: Plan) -> dict[Role, str]:
        """Role -> which parameter takes it."""
        inside: dict[Role, str] = {}
        if "settings" in self.roles:
            text = f"parameter {self.roles['settings']}"
            inside = {"alpha": text, "hard_weight": text, "temperature": text}
        inside |= {role: f"constructor argument {name}" for name, role in {**self.arguments, **plan}.items()
                   if name in self.arguments}  # fmt: skip
        inside |= {plan.get(word, role): f"keyword {word}" for word, role in self.keywords.items()}
        inside |= {
            role: f"parameter {name}" for role, name in self.roles.items() if role in NUMBERS and name not in plan
        }
        return inside | {role: f"parameter {name}" for name, role in plan.items() if name in self.names}

    def _own(self, inside: dict[Role, str], plan: Plan) -> dict[str, float]:
        """The student's own α and T, where they are kept outside."""
        kept: dict[str, float] = {}
        for knob in self.outside:
            role = _role(knob, plan)
            if not _same_side(role) & inside.keys():
                value = float(knob.value)
                kept.setdefault(*("alpha", 1 - value) if role == "hard_weight" else (role, value))
        return kept

    def _make(self, plan: Plan, inside: dict[Role, str] | None, numbers: Numbers) -> Call:
        """A fresh callable for these numbers; without `inside`, with what stands outside left as it was."""
        self.restore()  # another reading may have set what this one leaves alone
        fresh = self.bindable.function(numbers)
        if inside is None:
            return functools.partial(self._call, fresh, plan)
        found = self.outside if fresh is self.bindable.loaded else [k for k in knobs(fresh) if not self._built(k)]
        for knob in found:
            if not _same_side(_role(knob, plan)) & inside.keys() or knob.name in plan:
                knob.turn(numbers)
        return functools.partial(self._call, fresh, plan)

    def _call(self, function: Any, plan: Plan, tensors: dict[str, Any], numbers: Numbers) -> Any:
        values: dict[str, Any] = {role: numbers.of(role) for role in NUMBERS}
        values |= {**tensors, "settings": ConfigTable(numbers)}
        given = {name: values[role] for role, name in self.roles.items()}
        given |= {word: values[role] for word, role in {**self.keywords, **plan}.items()
                  if word in self.keywords or word in self.names}  # fmt: skip
        given |= dict.fromkeys(self.further, values["teacher"])
        positional: list[Any] = []
        for each in self.parameters:
            if each.kind in VARIADIC or (each.name not in given and each.default is not Parameter.empty):
                continue
            if each.name not in given:
                given[each.name] = extra(each.name, tensors)
            if each.kind is Parameter.POSITIONAL_ONLY:
                positional.append(given.pop(each.name))
        return function(*positional, **given)


def _teacher_forms(target: Target, name: str) -> Sequence[TeacherForm]:
    if gathers(target.node, name):
        return SEVERAL
    words = set(tokens(name))
    if not words & {"prob", "probs", "probabilities", "soft", "dist", "p"}:
        return SEVERAL[:1]
    return LOG_SOFTENED if "log" in words else SOFTENED


def _role(knob: Knob, plan: Plan) -> Role:
    return plan.get(knob.name, knob.role)


def _same_side(role: Role) -> set[Role]:
    return {"temperature"} if role == "temperature" else {"alpha", "hard_weight"}


def _where(places: Sequence[dict[Role, str]]) -> dict[str, str]:
    """How α (or 1-α) and T get in: parameters first, then what is set from outside."""
    found: dict[str, str] = {}
    for place in places:
        for role, text in place.items():
            found.setdefault("temperature" if role == "temperature" else "alpha", text)
    return found
