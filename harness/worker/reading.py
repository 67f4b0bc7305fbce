"""Read hand-ins in a process of its own, one after the other: what hangs, overflows or eats memory ends there alone.

Nothing of a student's is executed here, but all that is parsed was written by students: archives, links, names,
submission.toml. The grader (`harness.sandbox.reader`) sends what was found, and gets back JSON.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import signal
import sys
import traceback
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

from pydantic import TypeAdapter

from harness.errors import PluginError, SubmissionError, UsageError, of_machine
from harness.plugins import Plugins
from harness.submission.hand_in import HandIn
from harness.submission.reading import ReadLimits, Submission, read_submission
from harness.worker.shown import with_code_only
from harness.worker.sources.kept import source_texts

MEMORY_BYTES = 1 << 30
"""Address space of this process: eight times what Python and the harness take of it."""
MAX_REPLY_BYTES = 64 << 20
SUBMISSION: TypeAdapter[Submission] = TypeAdapter(Submission)
_GRACE_SECONDS = 5


@dataclass(frozen=True, slots=True)
class ToRead:
    """What is asked for.

    Attributes:
        scratch: where it is copied to.
        formats: plugin modules that know weights formats.
        seconds: how long it may take; the grader watches, this is for the case that it is gone.
        texts: whether the text of its sources is wanted.
        readable: leave sources, weights and files of these patterns alone; None: all that was handed in.
    """

    hand_in: HandIn
    scratch: Path
    formats: tuple[str, ...]
    limits: ReadLimits
    seconds: float
    texts: bool = False
    readable: tuple[str, ...] | None = None


def main() -> None:
    """Serve until the grader hangs up; the descriptor of the connection is on the command line."""
    import resource  # here, because the grader imports this module as well, where there may be none

    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    connection = Connection(int(sys.argv[1]))
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            asked: ToRead = connection.recv()
            signal.alarm(int(asked.seconds) + _GRACE_SECONDS)
            connection.send_bytes(_answer(asked))
            signal.alarm(0)


def _answer(asked: ToRead) -> bytes:
    try:
        return _document(asked)
    except SubmissionError as error:
        return _said(failed=[error.status, error.reason, error.hint])
    except (UsageError, PluginError) as error:
        return _said(**{"usage" if isinstance(error, UsageError) else "plugin": str(error)})
    except (MemoryError, RecursionError) as error:
        return _said(exhausted=type(error).__name__)
    except Exception as error:  # noqa: BLE001 - a mistake of ours is told as such
        if machine := of_machine(error):
            return _said(machine=str(machine))
        return _said(accident=f"{type(error).__name__}: {error}", where=traceback.format_exc())


def _document(asked: ToRead) -> bytes:
    formats = Plugins.of(*map(importlib.import_module, asked.formats)).weight_formats
    submission = read_submission(asked.hand_in, asked.scratch, formats, asked.limits)
    if asked.texts:
        submission = replace(submission, texts=source_texts(submission.folder, submission.sources))
    if asked.readable is not None:
        submission = with_code_only(submission, asked.readable)
    document = SUBMISSION.dump_json(submission)
    if len(document) > MAX_REPLY_BYTES:
        raise SubmissionError.rejected("its file names are too many and too long", "hand in fewer files")
    return document


def _said(**facts: object) -> bytes:
    return json.dumps(facts).encode()
