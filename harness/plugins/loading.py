"""Load one plugin: import it, collect what its hooks return, and find what is wrong with it.

pluggy calls implementations in an order that depends on installation and stops at the first that raises, so it only
finds them here: each plugin is alone with the manager, and none can stand in another's way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

import pluggy

from harness.contracts import hooks as hookspecs
from harness.errors import PluginError
from harness.plugins.faults import line_of, said_at
from harness.plugins.kinds import EVALUATOR, KINDS, Kind
from harness.text import suggestion
from harness.values.base import Options
from harness.values.measures import CheckSpec, MetricSpec

HOOKS = tuple(kind.hook for kind in KINDS)
Found = dict[str, list[Any]]
"""Hook -> the objects that a plugin contributes."""


def imported(entry_point: EntryPoint) -> Any:
    """The module, or other object, that an entry point names.

    Raises:
        PluginError: it cannot be imported.
    """
    try:
        return entry_point.load()
    # A module may raise anything while it is imported, and `sys.exit` in one must not end the harness either.
    except (Exception, SystemExit) as error:
        said = said_at(error, entry_point.module.partition(".")[0])
        raise PluginError(f"cannot be imported: {said}; mend it or uninstall it") from error


def contributed(plugin: Any) -> Found:
    """The objects of a plugin, a module or an instance with methods that `hookimpl` marks, by hook.

    Raises:
        PluginError: what is wrong with it, without its name.
    """
    try:
        implementations = _implementations(plugin)
    except pluggy.PluginValidationError as error:
        raise PluginError(f"{' '.join(str(error).split())}; hooks take no arguments") from error
    package = (plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__module__).partition(".")[0]
    functions = {each.function.__name__: each.function for each in implementations}
    for misspelt in sorted(functions.keys() - set(HOOKS)):
        raise PluginError(_no_hook(misspelt, functions[misspelt]))
    if not functions:
        raise PluginError(_no_implementation(plugin))
    return {kind.hook: list(_objects(kind, functions[kind.hook], package)) for kind in KINDS if kind.hook in functions}


def _implementations(plugin: Any) -> list[pluggy.HookImpl]:
    """The functions of a plugin that are marked as hooks; it is alone with the manager."""
    manager = _manager()
    try:
        manager.register(plugin)
        return [each for caller in manager.get_hookcallers(plugin) or () for each in caller.get_hookimpls()]
    finally:
        if manager.is_registered(plugin):
            manager.unregister(plugin)


@cache
def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager("harness")
    manager.add_hookspecs(hookspecs)
    return manager


def _no_hook(name: str, function: Any) -> str:
    return f"{name}(){line_of(function)} is no hook{suggestion(name, HOOKS)} (hooks: {', '.join(HOOKS)})"


def _no_implementation(plugin: Any) -> str:
    """Why nothing of it is a hook: a forgotten decorator is told from a module that has nothing to do with us."""
    for name, value in sorted(vars(plugin).items()):
        if callable(value) and name.startswith("harness_"):
            if name in HOOKS:
                return f"{name}(){line_of(value)} is not marked as a hook: write @hookimpl above it"
            return _no_hook(name, value)
    return f"it implements no hook: mark a function with @hookimpl and call it {' or '.join(HOOKS)}"


def _objects(kind: Kind, hook: Any, package: str) -> Iterator[Any]:
    where = f"{kind.hook}(){line_of(hook)}"
    try:
        returned = hook()
        items = list(returned) if isinstance(returned, Iterable) and not isinstance(returned, str | bytes) else None
    except Exception as error:
        raise PluginError(f"{kind.hook}() raised {said_at(error, package)}") from error
    if items is None:
        what = "None" if returned is None else repr(returned)
        raise PluginError(
            f"{where} returned {what}, which is no list: return a list of {kind.words}s, such as [Mine()]"
        )
    for item in items:
        problem = problem_of(kind, item)
        if problem:
            raise PluginError(f"{where} returned {problem}")
        yield item


def problem_of(kind: Kind, item: Any) -> str:
    """What is wrong with an object; empty where nothing is."""
    if isinstance(item, type):
        return f"the class {item.__name__} and not an instance of it: write {item.__name__}()"
    name = getattr(item, "name", None)
    if not isinstance(name, str) or not name:
        return f'{item!r}, which has no .name: give its class a line such as name = "mine"'
    missing = [member for member in kind.members if not hasattr(item, member)]
    if missing:
        close = suggestion(missing[0], [each for each in dir(item) if not each.startswith("_")])
        return f"{name!r}, which has no {', '.join(missing)}{close}; a {kind.words} has them all"
    uncallable = [each for each in kind.members if each.islower() and each not in _DECLARED]
    for member in uncallable:
        if not callable(getattr(item, member)):
            return f"{name!r}, whose {member} is no method"
    return _misdeclared(item) if kind is EVALUATOR else ""


_DECLARED = {"metrics": MetricSpec, "checks": CheckSpec}


def _misdeclared(evaluator: Any) -> str:
    for member, spec in _DECLARED.items():
        declared = getattr(evaluator, member)
        if not isinstance(declared, tuple | list) or not all(isinstance(each, spec) for each in declared):
            example = f'({spec.__name__}("…", …),)'
            return f"{evaluator.name!r}, whose {member} is no tuple of {spec.__name__}: write {member} = {example}"
    if not (isinstance(evaluator.Options, type) and issubclass(evaluator.Options, Options)):
        return f"{evaluator.name!r}, whose Options is no class derived from harness.api.Options"
    return ""
