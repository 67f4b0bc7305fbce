"""The core names no plugin, and the quick commands stay quick.

Which part of the core may import which is for `lint-imports` (pyproject.toml), what plugins may for their own tests.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import REPOSITORY

from harness.sandbox.mother import ENVIRONMENT


def imported(file: Path) -> Iterator[str]:
    """Every module a file imports, at the top or inside functions."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield node.module or ""


def test_the_core_names_no_plugin() -> None:
    files = sorted((REPOSITORY / "harness").rglob("*.py"))
    assert len(files) > 100
    assert [(file, name) for file in files for name in imported(file) if name.startswith("harness_")] == []


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


def test_workers_begin_without_torchs_compiler() -> None:
    """Importing it takes as long as torch itself; torchvision imports it, so that waits until somebody asks for it."""
    forbidden = {"torch._dynamo.utils", "sympy.core", "torchvision"}
    code = (
        "import sys\nfrom harness.worker import mother\nmother._prepare()\n"
        f"print('imported', sorted({forbidden!r} & set(sys.modules)))"
    )
    environment = {**os.environ, **ENVIRONMENT}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "imported []"
