"""Keep what plugins print away from results, which other programs read."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress

_STDOUT, _STDERR = 1, 2


@contextmanager
def printing_to_stderr() -> Iterator[None]:
    """While plugins work: what they print goes to stderr, and so does what libraries in C and child processes write to
    standard output, which know nothing of `sys.stdout`.

    It holds for the whole process: whoever has results to print does so afterwards.
    """
    sys.stdout.flush()
    with ExitStack() as after:
        # Where one of the two is closed there is nothing to keep apart.
        with suppress(OSError):
            kept = os.dup(_STDOUT)
            after.callback(os.close, kept)
            os.dup2(_STDERR, _STDOUT)
            after.callback(os.dup2, kept, _STDOUT)
            after.callback(_flush)
        with redirect_stdout(sys.stderr):
            yield


def _flush() -> None:
    """Have C write what it has not written yet: later it would stand among results."""
    with suppress(OSError, TypeError):  # Windows has no name for the program's own library
        ctypes.CDLL(None).fflush(None)
