"""Find plugins: one discovery path, entry points of the group `harness`, for ours and everyone's.

Neither the order of installation nor a broken plugin may ever decide a grade: plugins are loaded one by one, in the
order of their names, and one that is broken is left out and named.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from itertools import groupby
from typing import Any

from harness.contracts.evaluator import ClassEvaluator, Evaluator
from harness.contracts.executors import Executor
from harness.contracts.formats import Dataset, WeightFormat
from harness.contracts.publishing import Exporter, Writer
from harness.contracts.sources import WorkerHalf
from harness.errors import PluginError, UsageError
from harness.plugins.kinds import KINDS
from harness.plugins.loading import Found, contributed, imported
from harness.text import suggestion
from harness.values.measures import Measures
from harness.version import plugin_packages


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
    faults: tuple[str, ...] = ()
    """Of what was left out, each a sentence that names the plugin, the place and the cure."""

    @classmethod
    def installed(cls, *, without: Collection[str] = ()) -> Plugins:
        """Load every entry point of the group `harness`. One that is broken is left out, and so is an object whose name
        two plugins claim: `faults` has why, and whoever needs it is told.

        Args:
            without: plugins that are not even imported.

        Raises:
            UsageError: there is no plugin of a name in `without`.
        """
        found = sorted(entry_points(group="harness"), key=lambda each: (each.name, each.value))
        for name in without:
            names = {each.name for each in found}
            if name not in names:
                raise UsageError(
                    f"--disable-plugin {name}: no such plugin{suggestion(name, names)} ('harness plugins' lists them)"
                )
        loaded: dict[str, tuple[str, Found]] = {}
        faults: list[str] = []
        for name, group in groupby((each for each in found if each.name not in without), lambda each: each.name):
            same = list(group)
            try:
                loaded[name] = _loaded(same)
            except PluginError as error:
                faults.append(f"plugin {name!r} ({' and '.join(each.value for each in same)}): {error}")
        # A distribution reads its metadata whenever it is asked, and most plugins come with one and the same.
        version_of = {id(dist): dist.version for dist in {id(each.dist): each.dist for each in found}.values() if dist}
        versions = {each.name: version_of[id(each.dist)] for each in found if each.dist}
        return cls._collect(loaded, versions, faults)

    @classmethod
    def of(cls, *modules: Any) -> Plugins:
        """Only the given plugin objects (modules or instances with `hookimpl` methods).

        Raises:
            PluginError: one of them is broken.
        """
        loaded: dict[str, tuple[str, Found]] = {}
        for module in modules:
            module_name = getattr(module, "__name__", "")
            name = module_name or f"{type(module).__name__} {len(loaded)}"
            try:
                loaded[name] = module_name, contributed(module)
            except PluginError as error:
                raise PluginError(f"plugin {name!r}: {error}") from error
        plugins = cls._collect(loaded, {}, [])
        for fault in plugins.faults:
            raise PluginError(fault)
        return plugins

    def missing(self, name: str, known: Iterable[str]) -> str:
        """What follows "there is no `name`": one like it, those there are, and what could not be loaded."""
        names = list(known)
        text = f"{suggestion(name, names)} (known: {', '.join(names) or 'none'})"
        return text + "".join(f"; it may be missing because of {fault}" for fault in self.faults)

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
    def _collect(
        cls, loaded: Mapping[str, tuple[str, Found]], versions: Mapping[str, str], faults: Iterable[str]
    ) -> Plugins:
        """Put together what plugins contribute, by plugin name: its module, and its objects."""
        objects: dict[str, dict[str, Any]] = {kind.hook: {} for kind in KINDS}
        origins: dict[tuple[str, str], str] = {}
        doubled: dict[tuple[str, str], str] = {}
        for plugin in sorted(loaded):
            for hook, items in loaded[plugin][1].items():
                for item in items:
                    if (hook, item.name) in origins:
                        doubled[hook, item.name] = _doubled(origins[hook, item.name], plugin, f"{item.name!r} ({hook})")
                    objects[hook][item.name], origins[hook, item.name] = item, plugin
        for hook, name in doubled:
            del objects[hook][name]
        return cls(
            **{kind.plural: objects[kind.hook] for kind in KINDS},
            origins=origins,
            modules={plugin: module for plugin, (module, _) in loaded.items()},
            versions=versions,
            faults=(*faults, *doubled.values()),
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


def _doubled(first: str, second: str, what: str) -> str:
    """That two objects have one name, and what to do about it."""
    if first == second:
        return f"plugin {first!r} provides {what} twice, so neither counts: give each a name of its own"
    return (
        f"plugins {first!r} and {second!r} both provide {what}, so neither counts: uninstall one, or --disable-plugin"
    )


def _loaded(same: list[EntryPoint]) -> tuple[str, Found]:
    """The module that entry points of one name name, and what it contributes."""
    if len(same) > 1:
        raise PluginError("several plugins have this name: uninstall all but one")
    plugin = imported(same[0])
    return getattr(plugin, "__name__", ""), contributed(plugin)
