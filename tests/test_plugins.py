"""Plugins: one way in, order that decides nothing, errors that name the culprit."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from builders import REPOSITORY

import harness.plugins as plugins_module
from harness.api import hookimpl
from harness.errors import PluginError
from harness.plugins import Plugins
from harness.text import suggestion


class Thing:
    def __init__(self, name: str) -> None:
        self.name = name

    def render(self, board: Any) -> dict[str, str]:
        return {}


class Writers:
    def __init__(self, *things: Any) -> None:
        self._things = things

    @hookimpl
    def harness_writers(self) -> Any:
        return self._things


def entry(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group="harness")


def install(monkeypatch: pytest.MonkeyPatch, *entries: EntryPoint) -> None:
    monkeypatch.setattr(plugins_module, "entry_points", lambda group: entries)


def test_objects_are_found_by_name() -> None:
    found = Plugins.of(Writers(Thing("b"), Thing("a")), Writers(Thing("c")))
    assert sorted(found.writers) == ["a", "b", "c"]


def test_one_name_twice_names_both_plugins() -> None:
    with pytest.raises(PluginError, match=r"plugins .* and .* both provide 'a' \(harness_writers\)"):
        Plugins.of(Writers(Thing("a")), Writers(Thing("a")))


def test_a_raising_hook_names_the_plugin() -> None:
    class Broken:
        @hookimpl
        def harness_writers(self) -> Any:
            raise KeyError("oops")

    with pytest.raises(PluginError, match=r"plugin .*: harness_writers\(\) raised KeyError: 'oops'"):
        Plugins.of(Broken())


def test_a_misspelt_hook_is_refused() -> None:
    class Misspelt:
        @hookimpl
        def harness_writer(self) -> Any:
            return []

    with pytest.raises(PluginError, match=r"harness_writer.*hooks: harness_evaluators"):
        Plugins.of(Misspelt())


@pytest.mark.parametrize(
    ("thing", "message"), [(object(), "has no .name"), (type("T", (), {"name": "t"})(), "no render")]
)
def test_an_object_that_cannot_work_is_refused(thing: Any, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        Plugins.of(Writers(thing))


def test_a_plugin_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, entry("mine", "no_such_module_anywhere"))
    with pytest.raises(PluginError, match=r"plugin 'mine' \(no_such_module_anywhere\).*ModuleNotFoundError"):
        Plugins.installed()


def test_a_plugin_that_exits_does_not_end_the_harness(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "exiting_plugin.py").write_text("raise SystemExit(3)\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    install(monkeypatch, entry("mine", "exiting_plugin"))
    with pytest.raises(PluginError, match="SystemExit: 3"):
        Plugins.installed()


def test_two_plugins_of_one_name_are_refused_whatever_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    two = (entry("boards", "harness_boards"), entry("boards", "harness_datasets.idx"))
    for entries in (two, two[::-1]):
        install(monkeypatch, *entries)
        with pytest.raises(PluginError, match=r"'boards': harness_boards and harness_datasets\.idx"):
            Plugins.installed()


def test_our_plugins_come_through_our_own_entry_points() -> None:
    document = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    named = set(document["project"]["entry-points"]["harness"].values())
    files = {file.relative_to(REPOSITORY / "plugins"): file for file in (REPOSITORY / "plugins").rglob("*.py")}
    with_hooks = {
        ".".join(name.with_suffix("").parts) for name, file in files.items() if "\n@hookimpl" in file.read_text("utf-8")
    }
    assert named == with_hooks
    assert set(Plugins.installed().modules.values()) >= named


def test_suggestions() -> None:
    assert suggestion("acuracy", ["accuracy", "size"]) == "; did you mean 'accuracy'?"
    assert suggestion("zzz", ["accuracy"]) == ""
