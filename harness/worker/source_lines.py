"""Find the student's own lines among those that run, or that an error came through."""

from __future__ import annotations

import sys
import sysconfig
import traceback
from functools import cache
from pathlib import Path

_PYTHON = sysconfig.get_path("stdlib")


def line() -> str | None:
    """`file:line`, the innermost that is running."""
    frame = sys._getframe(1)  # noqa: SLF001
    while frame is not None:
        if _is_students(frame.f_code.co_filename):
            return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return None


def line_of(error: BaseException) -> str | None:
    """`file:line`, the innermost that an error came through."""
    for frame, number in reversed(list(traceback.walk_tb(error.__traceback__))):
        if _is_students(frame.f_code.co_filename):
            return f"{Path(frame.f_code.co_filename).name}:{number}"
    return None


@cache
def _is_students(file: str) -> bool:
    """Whether a file of source is not ours, torch's or another package's, nor Python's."""
    elsewhere = {"site-packages", "dist-packages", "harness"} & set(Path(file).parts)
    return not elsewhere and not file.startswith(("<", _PYTHON))
