"""Plugins: one way in, order that decides nothing, errors that name the culprit."""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from builders import REPOSITORY

import harness.plugins as plugins_module
from harness.api import hookimpl
from harness.errors import PluginError, UsageError
from harness.plugins import Plugins
from harness.text import suggestion
from harness.version import plugin_packages


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


def broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str) -> str:
    """What is said of an installed plugin with this source; a healthy one beside it goes on."""
    name = f"harness_broken_{tmp_path.name.rpartition('_')[0][-40:]}_{abs(hash(source))}"
    (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    install(monkeypatch, entry("mine", name), entry("text_boards", "harness_boards"))
    found = Plugins.installed()
    assert "markdown" in found.writers
    (fault,) = found.faults
    assert fault.startswith((f"plugin 'mine' ({name}): ", "plugin 'mine' provides 'mine'"))
    assert "https://" not in fault
    return fault.replace(f"{name}.py", "mine.py")


HEAD = "from harness.api import hookimpl, Options, MetricSpec, Evaluation\n"
WRITER = "class Mine:\n    name = 'mine'\n    def render(self, board):\n        return {}\n"
HOOK = "@hookimpl\ndef harness_writers():\n    "
EVALUATOR = (
    "class Mine:\n    name = 'mine'\n    Options = Options\n    metrics = ()\n    checks = ()\n"
    "    def evaluate(self, student, context):\n        return Evaluation()\n"
)
EVALUATORS = "@hookimpl\ndef harness_evaluators():\n    return [Mine()]\n"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_module_anywhere\n", "at mine.py line 1: `import no_such_module_anywhere`; mend it or uninstall it"),
        ("def f(:\n", "cannot be imported: SyntaxError: invalid syntax at mine.py line 1"),
        ("x = 1\nraise SystemExit(3)\n", "cannot be imported: SystemExit: 3 at mine.py line 2: `raise SystemExit(3)`"),
        ("x = 1\n", "it implements no hook: mark a function with @hookimpl and call it harness_evaluators or "),
        (HEAD + WRITER + "def harness_writers():\n    return [Mine()]\n",
         "harness_writers() (mine.py line 6) is not marked as a hook: write @hookimpl above it"),
        (HEAD + WRITER + "@hookimpl\ndef harness_writer():\n    return [Mine()]\n",
         "harness_writer() (mine.py line 6) is no hook; did you mean 'harness_writers'? (hooks: harness_evaluators, "),
        (HEAD + WRITER + "@hookimpl\ndef harness_writers(board):\n    return [Mine()]\n", "hooks take no arguments"),
        (HEAD + HOOK + "raise KeyError('oops')\n",
         "harness_writers() raised KeyError: 'oops' at mine.py line 4: `raise KeyError('oops')`"),
        (HEAD + HOOK + "pass\n", "harness_writers() (mine.py line 2) returned None, which is no list: return a list of"),
        (HEAD + WRITER + HOOK + "return Mine()\n", "which is no list: return a list of writers, such as [Mine()]"),
        (HEAD + WRITER + HOOK + "return [Mine]\n",
         "returned the class Mine and not an instance of it: write Mine()"),
        (HEAD + HOOK + "return [object()]\n", 'which has no .name: give its class a line such as name = "mine"'),
        (HEAD + WRITER.replace("render", "rendr") + HOOK + "return [Mine()]\n",
         "returned 'mine', which has no render; did you mean 'rendr'?; a writer has them all"),
        (HEAD + EVALUATOR.replace("metrics = ()", "metrics = MetricSpec('a', unit='b', higher_is_better=True)")
         + EVALUATORS, "returned 'mine', whose metrics is no tuple of MetricSpec: write metrics = (MetricSpec("),
        (HEAD + EVALUATOR.replace("Options = Options", "Options = dict") + EVALUATORS,
         "returned 'mine', whose Options is no class derived from harness.api.Options"),
        (HEAD + HOOK + "raise SystemExit(3)\n", "harness_writers() raised SystemExit: 3 at mine.py line 4: `raise"),
        ("class Odd(BaseException): ...\nraise Odd('odd')\n", "cannot be imported: Odd: odd at mine.py line 2: `raise"),
        (HEAD + WRITER + "@hookimpl\nasync def harness_writers():\n    return [Mine()]\n",
         "harness_writers() (mine.py line 6) is async, and nobody awaits it: write def without async"),
        (HEAD + WRITER + HOOK + "return [Mine(), Mine()]\n",
         "provides 'mine' (harness_writers) twice, so neither counts: give each a name of its own"),
        (HEAD + WRITER.replace("'mine'", "property(lambda self: 1 / 0)") + HOOK + "return [Mine()]\n",
         "harness_writers() raised ZeroDivisionError: division by zero at mine.py line 3: `name = property(lambda"),
        (HEAD + WRITER.replace("'mine'", "'a/../b'") + HOOK + "return [Mine()]\n",
         "returned 'a/../b', whose name people have to type: make it of letters, digits, '_' and '-'"),
        (HEAD + WRITER.replace("(self, board)", "(self)") + HOOK + "return [Mine()]\n",
         "render() (mine.py line 4) cannot be called as render(board): let it take these"),
        (HEAD + WRITER.replace("    def", "    async def") + HOOK + "return [Mine()]\n",
         "render() (mine.py line 4) is async, and nobody awaits it"),
        (HEAD + EVALUATOR + "    def judge(self, found):\n        return ()\n" + EVALUATORS,
         "judge() (mine.py line 9) cannot be called as judge(found, required)"),
        (HEAD + EVALUATOR + "    reads = ('netwrk',)\n" + EVALUATORS,
         "whose reads has 'netwrk' in it; did you mean 'network'? (known: earlier, hand_in, images, network)"),
        ("from __future__ import annotations\n" + HEAD + "class Own(Options):\n    least: Nonsense = 1\n"
         + EVALUATOR.replace("Options = Options", "Options = Own") + EVALUATORS,
         "whose Options (Own) has types that its module lacks"),
        (HEAD + "class Own(Options):\n    least = 1\n", "Options):`; mend it or uninstall it"),
    ],
)  # fmt: skip
def test_a_broken_plugin_is_named_with_the_place_and_the_cure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str, said: str
) -> None:
    assert said in broken(monkeypatch, tmp_path, source)


def test_objects_are_found_by_name() -> None:
    found = Plugins.of(Writers(Thing("b"), Thing("a")), Writers(Thing("c")))
    assert sorted(found.writers) == ["a", "b", "c"]


def test_one_name_twice_names_both_plugins() -> None:
    with pytest.raises(PluginError, match=r"plugins .* and .* both provide 'a' \(harness_writers\), so neither counts"):
        Plugins.of(Writers(Thing("a")), Writers(Thing("a")))


def test_what_only_one_plugin_provides_stays_where_two_provide_another(monkeypatch: pytest.MonkeyPatch) -> None:
    module = SimpleNamespace(__name__="harness_other", harness_writers=hookimpl(lambda: [Thing("csv")]))
    module.harness_writers.__name__ = "harness_writers"
    monkeypatch.setitem(sys.modules, "harness_other", module)
    two = (entry("boards", "harness_boards"), entry("other", "harness_other"))
    for entries in (two, two[::-1]):
        install(monkeypatch, *entries)
        found = Plugins.installed()
        assert sorted(found.writers) == ["json", "markdown"]
        assert "both provide 'csv' (harness_writers)" in found.missing("csv", found.writers)


def test_a_plugin_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, entry("boards", "harness_boards"), entry("bad", "no_such_module_anywhere"))
    found = Plugins.installed(without=["bad"])
    assert not found.faults
    with pytest.raises(UsageError, match="--disable-plugin bda: no such plugin; did you mean 'bad'"):
        Plugins.installed(without=["bda"])


def test_two_plugins_of_one_name_are_refused_whatever_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    two = (entry("boards", "harness_boards"), entry("boards", "harness_datasets.idx"))
    for entries in (two, two[::-1]):
        install(monkeypatch, *entries)
        (fault,) = Plugins.installed().faults
        assert "'boards' (harness_boards and harness_datasets.idx): several plugins have this name" in fault


@pytest.mark.parametrize("value", ["harness-mine", "harness_mine:", "", "harness mine"])
def test_an_entry_point_that_names_no_module_stops_nobody(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    install(monkeypatch, entry("boards", "harness_boards"), entry("mine", value))
    (fault,) = Plugins.installed().faults
    assert f"plugin 'mine' ({value}): what its entry point names is no module: write it as harness_mine" in fault
    monkeypatch.setattr("harness.version.entry_points", plugins_module.entry_points)
    assert plugin_packages.__wrapped__() == {"harness_boards"}


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
