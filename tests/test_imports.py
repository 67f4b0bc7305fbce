"""The core names no plugin, plugins stay at their door, and the quick commands stay quick.

Which part of the core may import which is for `lint-imports` (pyproject.toml).
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import REPOSITORY


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


def files_of(folder: str) -> list[Path]:
    return sorted((REPOSITORY / folder).rglob("*.py"))


def shown(file: Path) -> str:
    return str(file.relative_to(REPOSITORY))


@pytest.mark.parametrize("file", files_of("harness"), ids=shown)
def test_the_core_names_no_plugin(file: Path) -> None:
    assert [module for module in imported(file) if module.startswith("harness_")] == []


@pytest.mark.parametrize("file", files_of("plugins"), ids=shown)
def test_plugins_use_neither_the_command_line_nor_the_store(file: Path) -> None:
    rooms = {".".join(module.split(".")[:2]) for module in imported(file)}
    assert not {"harness.cli", "harness.store", "harness.grading"} & rooms


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
