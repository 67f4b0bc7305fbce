"""Talk to the worker of one submission."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from harness.errors import SubmissionError

SMALL_REPLY_BYTES = 16 * 2**20


def _nonsense() -> SubmissionError:
    return SubmissionError("crashed", "the process that ran the submission wrote over its own answers")


@contextmanager
def nonsense_refused() -> Iterator[None]:
    """Facts are claims of a process that ran student code: malformed ones are that process's failure, not ours."""
    try:
        yield
    except (ValidationError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RuntimeError) as error:
        raise _nonsense() from error
