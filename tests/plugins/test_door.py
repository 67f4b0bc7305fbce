"""The door of plugins: what they import, what it exports, and that it opens quickly."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner
from inner_pytest import said_by_pytest

from harness import api, testing
from harness.cli import main

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted((ROOT / "fixtures/templates/plugin").glob("*/harness_*.py"))
PLUGINS = sorted((ROOT / "plugins").rglob("*.py")) + sorted(TEMPLATES)
CORE = sorted((ROOT / "harness").rglob("*.py"))
DOORS = sorted(f"harness.api.{file.stem}".removesuffix(".__init__") for file in (ROOT / "harness" / "api").glob("*.py"))
CONTRACTS = sorted(file for file in (ROOT / "harness" / "contracts").glob("*.py") if file.stem != "__init__")
SHIPPED = {
    each.module.partition(".")[0] for each in distribution("compress-harness").entry_points.select(group="harness")
}


def imports(file: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every module a file imports, for type checkers too, and the names it takes from it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield node.module or "", tuple(alias.name for alias in node.names)


def relative(file: Path) -> str:
    return str(file.relative_to(ROOT))


def test_there_is_a_door_for_each_need():
    assert [
        "harness.api",
        *(f"harness.api.{name}" for name in
          ("boards", "charts", "files", "graphs", "logits", "statistics", "text", "web", "weights", "worker")),
    ] == DOORS  # fmt: skip


@pytest.mark.parametrize("file", PLUGINS, ids=relative)
def test_plugins_come_through_the_door(file: Path) -> None:
    for module, names in imports(file):
        if module.partition(".")[0] == "harness":
            assert module in DOORS, f"{module} is not for plugins"
            assert set(names) <= set(importlib.import_module(module).__all__), (module, names)


@pytest.mark.parametrize("file", CORE, ids=relative)
def test_nobody_inside_uses_the_door(file: Path) -> None:
    used = {module for module, _ in imports(file)}
    assert not used & set(DOORS)
    assert not {module.partition(".")[0] for module in used} & SHIPPED, "the core names no plugin"


def test_worker_halves_use_nothing_of_the_check():
    """Beside student code there is no reference to compare with, and nothing that judges."""
    for file in (ROOT / "plugins" / "harness_kd" / "worker").glob("*.py"):
        ours = {module for module, _ in imports(file) if module.startswith("harness_kd")}
        assert all(module.startswith("harness_kd.worker.") for module in ours), file


@pytest.mark.parametrize("door", DOORS)
def test_all_is_what_a_door_exports(door: str) -> None:
    module = importlib.import_module(door)
    public = {
        name for name, value in vars(module).items() if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert set(module.__all__) == public - {"annotations"}
    assert module.__all__ == sorted(module.__all__)


def test_names_that_the_page_for_authors_mentions_can_be_imported():
    page = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    spoken = {each.partition(".")[0] for each in re.findall(r"`([A-Z]\w+[a-z]\w*(?:\.\w+)?)`", page)}
    fixtures = {name for name in vars(testing) if name.startswith("harness_")}
    there = {name for door in DOORS for name in importlib.import_module(door).__all__}
    assert {"Student", "UsageError", "SubmissionError"} <= spoken <= there
    tests = set(re.findall(r"`(\w+)`", page.partition("| name | what it is |")[2].partition("##")[0]))
    assert tests == {*testing.__all__, *fixtures} - {"harness_student"}


def test_the_code_on_the_page_for_authors_works(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    made = re.search(r"^harness (new plugin zeros --kind evaluator)$", page, flags=re.MULTILINE)
    assert made
    run = CliRunner().invoke(main, [*made[1].split(), "--out", str(tmp_path / "zeros")])
    assert run.exit_code == 0, run.output
    blocks = re.findall(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    for number, block in enumerate(blocks):
        (tmp_path / "zeros" / f"test_page_{number}.py").write_text(block, encoding="utf-8")
    code, said = said_by_pytest(tmp_path, *map(str, (tmp_path / "zeros").glob("test_page_*.py")))
    assert code == 0, said
    assert "3 passed" in said


def test_a_name_has_one_door():
    names = [name for door in DOORS for name in importlib.import_module(door).__all__]
    assert len(names) == len(set(names))


def test_what_signatures_speak_of_is_at_the_door():
    """Protocols name no class of the harness that a plugin could not import."""
    assert len(CONTRACTS) >= 6
    spoken = {
        name for file in CONTRACTS for module, names in imports(file) if module.startswith("harness.") for name in names
    }
    assert spoken <= set(api.__all__)


@pytest.mark.parametrize("door", DOORS)
def test_doors_open_without_torch(door: str) -> None:
    code = f"import sys, {door}; print({{'torch', 'sqlalchemy', 'scipy', 'matplotlib'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "set()\n"
