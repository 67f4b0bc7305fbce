"""Show in a notebook what happens now: one line of output that is replaced by the next."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from harness.text import clean


class KernelStages:
    """The line; only where `in_kernel()`."""

    def __init__(self, first: str) -> None:
        display = import_module("IPython.display").display
        self._line: Any = display(_plain(first), raw=True, display_id=True)

    def enter(self, stage: str) -> None:
        """Something else happens now; anyone's text."""
        self._line.update(_plain(stage), raw=True)


def in_kernel() -> bool:
    """Whether a notebook's kernel runs this, which shows values by itself."""
    shell = sys.modules.get("IPython")
    running = shell.get_ipython() if shell is not None else None
    return getattr(running, "kernel", None) is not None


def _plain(text: str) -> dict[str, str]:
    return {"text/plain": clean(text, 1000)}
