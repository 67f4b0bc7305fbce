"""Find what is wrong with an object that a plugin contributes, before anybody needs it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from inspect import Parameter, iscoroutinefunction, isfunction, signature
from typing import Any

from harness.contracts.evaluator import EVERYTHING
from harness.plugins.faults import line_of
from harness.plugins.kinds import CLASS_EVALUATOR, EVALUATOR, Kind
from harness.text import suggestion
from harness.values.base import Options
from harness.values.measures import CheckSpec, MetricSpec

_NAME = re.compile(r"\w[\w.+-]*")
_DECLARED = {"metrics": MetricSpec, "checks": CheckSpec}


def problem_of(kind: Kind, item: Any) -> str:
    """What is wrong with it; empty where nothing is."""
    return next(_problems(kind, item), "")


def _problems(kind: Kind, item: Any) -> Iterator[str]:
    if isinstance(item, type):
        yield f"the class {item.__name__} and not an instance of it: write {item.__name__}()"
    name = getattr(item, "name", None)
    if not isinstance(name, str) or not name:
        yield f'{item!r}, which has no .name: give its class a line such as name = "mine"'
        return
    if not _NAME.fullmatch(name):
        yield f"{name!r}, whose name people have to type: make it of letters, digits, '_' and '-'"
    missing = [member for member in kind.members if not hasattr(item, member)]
    if missing:
        close = suggestion(missing[0], [each for each in dir(item) if not each.startswith("_")])
        yield f"{name!r}, which has no {', '.join(missing)}{close}; a {kind.words} has them all"
    yield from (f"{name!r}, whose {problem}" for problem in (*_of_methods(kind, item), *_of_what_it_says(kind, item)))


def _of_methods(kind: Kind, item: Any) -> Iterator[str]:
    """Those of every contract that it has; some contracts are for those who want them."""
    for contract in kind.contracts:
        for name, wanted in vars(contract).items():
            if isfunction(wanted) and not name.startswith("_") and hasattr(item, name):
                yield from _of_method(name, getattr(item, name), wanted)


def _of_method(name: str, method: Any, wanted: Callable[..., Any]) -> Iterator[str]:
    if not callable(method):
        yield f"{name} is no method"
        return
    if iscoroutinefunction(method):
        yield f"{name}(){line_of(method)} is async, and nobody awaits it: write def without async"
    asked = list(signature(wanted).parameters.values())[1:]
    by_name = {each.name: None for each in asked if each.kind is Parameter.KEYWORD_ONLY}
    try:
        takes = signature(method)
    except (TypeError, ValueError):
        return  # written in C, which does not say
    try:
        takes.bind(*[None] * (len(asked) - len(by_name)), **by_name)
    except TypeError:
        # By their names alone: types are long, and none of this.
        words = [f"{each.name}=…" if each.name in by_name else each.name for each in asked]
        yield f"{name}(){line_of(method)} cannot be called as {name}({', '.join(words)}): let it take these"


def _of_what_it_says(kind: Kind, item: Any) -> Iterator[str]:
    """Of what evaluators declare, which assignments are checked against."""
    if kind not in {EVALUATOR, CLASS_EVALUATOR}:
        return
    options = item.Options
    if not (isinstance(options, type) and issubclass(options, Options)):
        yield "Options is no class derived from harness.api.Options"
        return
    if not options.__pydantic_complete__ and not options.model_rebuild(raise_errors=False):
        yield f"Options ({options.__name__}) has types that its module lacks: import them where it is imported"
    if kind is EVALUATOR:
        yield from _of_what_it_declares(item)


def _of_what_it_declares(evaluator: Any) -> Iterator[str]:
    for member, spec in _DECLARED.items():
        declared = getattr(evaluator, member)
        if not isinstance(declared, tuple | list) or not all(isinstance(each, spec) for each in declared):
            example = f'({spec.__name__}("…", …),)'
            yield f"{member} is no tuple of {spec.__name__}: write {member} = {example}"
    closed = {"reads": EVERYTHING, "judged_by": evaluator.Options.model_fields.keys()}
    for member, known in closed.items():
        for each in set(getattr(evaluator, member, ())) - set(known):
            listed = ", ".join(sorted(known)) or "none"
            yield f"{member} has {each!r} in it{suggestion(str(each), known)} (known: {listed})"
