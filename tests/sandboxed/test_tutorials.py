"""Tutorials from their first block to the last, each in a folder of its own: what they type is done, what they show comes.

A block whose first line is `# NAME`, or `# at the end of NAME`, is a file, or the end of one. Commands of the harness
and Python run in this process, where torch is loaded already; installing a plugin is what it comes down to.
"""

from __future__ import annotations

import doctest
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import REPOSITORY
from click.testing import CliRunner
from inner_pytest import forget_what_lies_in, said_by_pytest

from harness.cli import main

TUTORIALS = sorted((REPOSITORY / "docs/tutorials").glob("*.md"))
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (at the end of )?([\w./-]+\.\w+)\n")


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_runs(page: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Python takes a file that was changed within a second and kept its size for the one it has compiled.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    blocks = _BLOCK.findall(page.read_text(encoding="utf-8"))
    assert len(blocks) > 5
    for language, text in blocks:
        if language == "console":
            for each in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                typed, _, shown = each.partition("\n")
                said = ran(typed, here, monkeypatch)
                assert is_as_shown(shown, said), f"$ {typed}\n{said}\n--- but the page shows ---\n{shown}"
        elif file := _FILE.match(text):
            with Path(file[2]).open("a" if file[1] else "w", encoding="utf-8") as target:
                target.write(text[file.end() :])
        else:
            monkeypatch.syspath_prepend(Path.cwd())
            exec(compile(text, page.name, "exec"), {})


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder; nothing that was imported from it stays."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "88")
    yield tmp_path
    forget_what_lies_in(tmp_path)


def ran(typed: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a command says."""
    program, *arguments = shlex.split(typed)
    forget_what_lies_in(here)
    match program:
        case "harness":
            run = CliRunner().invoke(main, arguments, prog_name="harness")
            assert run.exit_code in {0, 1, 2}, run.output
            return run.output
        case "cd":
            monkeypatch.chdir(arguments[0])
        case "python":
            monkeypatch.syspath_prepend(Path.cwd())
            runpy.run_path(arguments[0], run_name="__main__")
        case "pip":
            install(Path(arguments[-1]), here, monkeypatch)
        case "pytest":
            return said_by_pytest(here, *arguments)[1]
        case _:
            subprocess.run(typed, shell=True, check=True)
    return ""


def install(project: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `pip install -e` comes down to: the folder is on the path, and the entry points are known."""
    table = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    known = here / f"{table['name'].replace('-', '_')}-{table['version']}.dist-info"
    known.mkdir()
    (known / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {table['name']}\nVersion: {table['version']}\n")
    lines = (f"{name} = {module}" for name, module in table["entry-points"]["harness"].items())
    (known / "entry_points.txt").write_text("\n".join(["[harness]", *lines, ""]))
    monkeypatch.syspath_prepend(here)
    monkeypatch.syspath_prepend(project.resolve())


def is_as_shown(shown: str, said: str) -> bool:
    """Whether it is what the page shows, which leaves out what is not always the same (…) and breaks lines its own way."""
    if not shown.strip():
        return True
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(shown.replace("…", "..."), said, flags)
