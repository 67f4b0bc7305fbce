"""Run tests that were just written, in this process: torch is loaded already, which takes longer than they do."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest


def said_by_pytest(folder: Path, *arguments: str) -> tuple[int, str]:
    """Its exit code and what it prints; nothing that was imported from `folder` stays."""
    before = sys.path.copy()
    try:
        with redirect_stdout(StringIO()) as said:
            code = pytest.main(
                ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", f"--rootdir={folder}", *arguments]
            )
    finally:
        sys.path[:] = before
        forget_what_lies_in(folder)
    return int(code), said.getvalue()


def forget_what_lies_in(folder: Path) -> None:
    """Whoever imports it next finds the files as they are then."""
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(folder)):
            del sys.modules[name]
