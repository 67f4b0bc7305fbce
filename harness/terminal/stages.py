"""Show at once that something happens, and what; imports nothing slow, since it is there to be first."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.text import Text


class Stages:
    """A spinner with the present stage on standard error; nothing in logs, in CI, or when it shall be quiet."""

    def __init__(self, first: str, *, quiet: bool = False) -> None:
        console = Console(stderr=True, highlight=False)
        shown = console.is_terminal and console.file.isatty() and not quiet and not os.environ.get("CI")
        self._status = console.status(Text(first), spinner=_spinner(console)) if shown else None

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def enter(self, stage: str) -> None:
        """Something else happens now; anyone's text."""
        if self._status is not None:
            from harness.text import clean

            self._status.update(Text(clean(stage)))


def _spinner(console: Console) -> str:
    return "dots" if console.encoding.lower().startswith("utf") else "line"
