"""Find plugins: one discovery path, entry points of the group `harness`, for ours and everyone's.

pluggy calls implementations in an order that depends on installation and stops at the first that raises. Neither may
ever decide a grade, so implementations are collected one by one, in the order of their plugins' names.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from harness.contracts import hooks as hookspecs
from harness.contracts.evaluator import ClassEvaluator, Evaluator
from harness.contracts.executors import Executor
from harness.contracts.formats import Dataset, WeightFormat
from harness.contracts.publishing import Exporter, Writer
from harness.contracts.sources import WorkerHalf
from harness.errors import PluginError
from harness.values.measures import Measures

MEMBERS = {
    "harness_evaluators": ("Options", "metrics", "checks", "evaluate"),
    "harness_class_evaluators": ("Options", "evaluate_class"),
    "harness_weight_formats": ("recognises", "decode"),
    "harness_datasets": ("load",),
    "harness_writers": ("render",),
    "harness_exporters": ("export",),
    "harness_executors": ("crew",),
}
"""What an object of each hook must have beside its `.name`."""
HOOKS = tuple(MEMBERS)


@dataclass(frozen=True, slots=True)
class Plugins:
    """Everything installed, by name. Build it with `installed()` or, in tests, `of(...)`."""

    evaluators: Mapping[str, Evaluator[Any]]
    class_evaluators: Mapping[str, ClassEvaluator[Any]]
    weight_formats: Mapping[str, WeightFormat]
    datasets: Mapping[str, Dataset]
    writers: Mapping[str, Writer]
    exporters: Mapping[str, Exporter] = field(default_factory=dict)
    executors: Mapping[str, Executor] = field(default_factory=dict)
    origins: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(hook, object name) -> the plugin that contributed it."""
    modules: Mapping[str, str] = field(default_factory=dict)
    """Plugin -> its Python module."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Plugin -> the version of the distribution that brings it."""

    @classmethod
    def installed(cls) -> Plugins:
        """Load every entry point of the group `harness`.

        Raises:
            PluginError: a plugin cannot be imported, misnames a hook, raises, or claims a name that is taken.
        """
        manager, found = _manager(), sorted(entry_points(group="harness"), key=lambda each: (each.name, each.value))
        for entry_point in found:
            _register(manager, entry_point)
        return replace(cls._collect(manager), versions={each.name: each.dist.version for each in found if each.dist})

    @classmethod
    def of(cls, *modules: Any) -> Plugins:
        """Only the given plugin objects (modules or instances with `hookimpl` methods)."""
        manager = _manager()
        for module in modules:
            manager.register(module)
        return cls._collect(manager)

    def measures(self, names: Iterable[str]) -> Measures:
        """What the evaluators of these names declare, in this order."""
        used = [self.evaluators[name] for name in names]
        return Measures.of(
            (metric for each in used for metric in each.metrics), (check for each in used for check in each.checks)
        )

    def evaluator_version(self, name: str) -> str:
        """Of the distribution that an evaluator comes with; empty where it comes with none."""
        return self.versions.get(self.origins.get(("harness_evaluators", name), ""), "")

    @property
    def weight_format_modules(self) -> list[str]:
        """The modules a worker imports to decode weights; it needs no other plugin."""
        names = {plugin for (hook, _), plugin in self.origins.items() if hook == "harness_weight_formats"}
        return sorted(self.modules[name] for name in names)

    @classmethod
    def _collect(cls, manager: pluggy.PluginManager) -> Plugins:
        try:
            manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise PluginError(f"{error} (hooks: {', '.join(HOOKS)})") from error
        origins: dict[tuple[str, str], str] = {}
        found = {hook: _objects(manager, hook, origins) for hook in HOOKS}
        modules = {name: getattr(plugin, "__name__", "") for name, plugin in manager.list_name_plugin()}
        return cls(
            evaluators=found["harness_evaluators"],
            class_evaluators=found["harness_class_evaluators"],
            weight_formats=found["harness_weight_formats"],
            datasets=found["harness_datasets"],
            writers=found["harness_writers"],
            exporters=found["harness_exporters"],
            executors=found["harness_executors"],
            origins=origins,
            modules=modules,
        )


def worker_half_name(half: WorkerHalf) -> str:
    """`module:name`, by which a worker imports a plugin's function (`pkgutil.resolve_name`).

    Raises:
        PluginError: a worker could not: it sees the modules and packages that entry points name, and no others.
    """
    module, name = getattr(half, "__module__", ""), getattr(half, "__qualname__", repr(half))
    if module.partition(".")[0] not in plugin_packages():
        raise PluginError(f"{name} (module {module!r}) is in no installed plugin, so no worker can import it")
    if getattr(sys.modules.get(module), name, None) is not half:
        raise PluginError(f"{name} is not what {module!r} defines at its top level by that name")
    return f"{module}:{name}"


def plugin_packages() -> frozenset[str]:
    """Top-level modules and packages that entry points of the group `harness` name: what a sandbox shows of plugins."""
    return frozenset(each.module.partition(".")[0] for each in entry_points(group="harness"))


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager("harness")
    manager.add_hookspecs(hookspecs)
    return manager


def _register(manager: pluggy.PluginManager, entry_point: EntryPoint) -> None:
    taken = manager.get_plugin(entry_point.name)
    if taken is not None:
        both = f"{getattr(taken, '__name__', taken)} and {entry_point.value}"
        raise PluginError(f"two plugins are called {entry_point.name!r}: {both}; uninstall one of them")
    try:
        manager.register(entry_point.load(), name=entry_point.name)
    # A module may raise anything while it is imported, and `sys.exit` in one must not end the harness either.
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"plugin {entry_point.name!r} ({entry_point.value}) cannot be loaded: {type(error).__name__}: {error}"
        ) from error


def _objects(manager: pluggy.PluginManager, hook: str, origins: dict[tuple[str, str], str]) -> dict[str, Any]:
    objects: dict[str, Any] = {}
    implementations = getattr(manager.hook, hook).get_hookimpls()
    for implementation in sorted(implementations, key=lambda each: each.plugin_name):
        plugin = implementation.plugin_name
        try:
            contributed = list(implementation.function())
        except Exception as error:
            raise PluginError(f"plugin {plugin!r}: {hook}() raised {type(error).__name__}: {error}") from error
        for item in contributed:
            name = getattr(item, "name", None)
            if not isinstance(name, str):
                raise PluginError(f"plugin {plugin!r}: {hook}() returned {item!r}, which has no .name")
            missing = [member for member in MEMBERS[hook] if not hasattr(item, member)]
            if missing:
                raise PluginError(f"plugin {plugin!r}: {name!r} from {hook}() has no {', '.join(missing)}")
            if (hook, name) in origins:
                raise PluginError(f"plugins {origins[hook, name]!r} and {plugin!r} both provide {name!r} ({hook})")
            objects[name], origins[hook, name] = item, plugin
    return objects
