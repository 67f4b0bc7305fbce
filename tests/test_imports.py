"""Imports point one way, and the quick commands stay quick."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# A module imports from its own layer and those before it.
LAYERS = (
    {"errors"},
    {"api", "hookspecs"},
    {"resources", "text", "plugins", "results"},
    {"assignment_mistakes", "assignment", "submission", "rubric"},
    {"sandbox", "student", "store", "kept"},
    {"grading", "teachers", "leaderboard", "class_board", "report", "report_markdown", "web", "plots", "comparing"},
    {"cli", "notebook"},
)
# Where the modules belong that no line above names: readers and helpers, above the contracts and below the sandbox.
HELPERS = 3
ORDER = {name: number for number, layer in enumerate(LAYERS) for name in layer}
CORE = sorted(
    file for file in (ROOT / "harness").rglob("*.py") if file.relative_to(ROOT / "harness").parts != ("__init__.py",)
)


def imported(file: Path) -> Iterator[str]:
    """Every module a file imports, at the top or inside functions, but not for type checkers alone."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names = [f"harness.{alias.name}" for alias in node.names] if node.module == "harness" else []
            yield from names or [node.module or ""]


def layer(file: Path) -> str:
    return file.relative_to(ROOT / "harness").parts[0].removesuffix(".py")


@pytest.mark.parametrize("file", CORE, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_point_one_way(file: Path) -> None:
    own = layer(file)
    for module in imported(file):
        if module.startswith("harness."):
            other = ORDER.get(module.split(".")[1], HELPERS)
            assert other <= ORDER.get(own, HELPERS), f"{file} imports {module}"
        assert not module.startswith("harness_"), f"{file}: the core names no plugin"


@pytest.mark.parametrize("file", sorted((ROOT / "plugins").glob("*.py")), ids=lambda file: file.stem)
def test_plugins_use_neither_the_command_line_nor_the_store(file: Path) -> None:
    assert not {"harness.cli", "harness.store", "harness.grading"} & set(imported(file))


@pytest.mark.parametrize(
    ("arguments", "forbidden"),
    [
        (["--help"], {"torch", "sqlalchemy", "pydantic", "rich", "numpy"}),
        (["grade", "--help"], {"torch", "sqlalchemy"}),
        (["plugins"], {"torch", "sqlalchemy"}),
        (["leaderboard", "nycu-ds2023-hw2", "--store", "sqlite:////nonexistent/x.db"], {"torch"}),
    ],
)
def test_quick_commands_import_little(arguments: list[str], forbidden: set[str]) -> None:
    code = (
        "import sys\nfrom harness.cli import main\n"
        f"try:\n    main({arguments!r}, prog_name='harness')\n"
        "except SystemExit as end:\n    assert end.code in (0, 2), end.code\n"
        f"print('imported', sorted({forbidden!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "imported []"
