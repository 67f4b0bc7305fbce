"""Find the student's own lines among those that run, or that an error came through."""

from __future__ import annotations

import sys
import sysconfig
import traceback
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import FrameType

_PYTHON = sysconfig.get_path("stdlib")


def line() -> str | None:
    """`file:line`, the innermost that is running."""
    return _first(traceback.walk_stack(sys._getframe(1)))  # noqa: SLF001


def line_of(error: BaseException) -> str | None:
    """`file:line`, the innermost that an error came through."""
    return _first(reversed(list(traceback.walk_tb(error.__traceback__))))


def _first(frames: Iterable[tuple[FrameType, int]]) -> str | None:
    own = (
        (Path(frame.f_code.co_filename), number) for frame, number in frames if _is_students(frame.f_code.co_filename)
    )
    return next((f"{file.name}:{number}" for file, number in own), None)


@cache
def _is_students(file: str) -> bool:
    """Whether a file of source is not ours, torch's or another package's, nor Python's."""
    elsewhere = {"site-packages", "dist-packages", "harness"} & set(Path(file).parts)
    return not elsewhere and not file.startswith(("<", _PYTHON))
