"""Have hand-ins read in a process of their own, seen from the grader; see `harness.worker.reading`.

One process reads a whole class, or as many of it as one slot grades; one that hung, died or ran out of memory is
replaced, and costs its own hand-in only.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import Cancelled, HarnessError, MachineError, PluginError, SubmissionError, UsageError
from harness.sandbox.mother import ENVIRONMENT

if TYPE_CHECKING:
    from harness.submission.hand_in import HandIn
    from harness.submission.reading import ReadLimits, Submission

_BOOT = "from harness.worker.reading import main; main()"
_TICK_SECONDS = 0.05
_ADVICE = "hand in a plain folder with the source, the weights and nothing else"


class Reader:
    """Reads one hand-in after the other; not for use by two threads at once."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own words
                [sys.executable, "-I", "-c", _BOOT, str(theirs.fileno())],
                cwd="/",
                env=dict(ENVIRONMENT),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the grader, which then hangs up
            )
            self._connection = Connection(ours.detach())
        self.close = weakref.finalize(self, _end, self._connection, self._process)

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self.close.alive and self._process.poll() is None

    def read(
        self,
        hand_in: HandIn,
        scratch: Path,
        formats: list[str],
        limits: ReadLimits,
        *,
        seconds: float,
        stopping: threading.Event,
        texts: bool = False,
        readable: tuple[str, ...] | None = None,
    ) -> Submission:
        """As `read_submission`, with a time limit.

        Args:
            formats: the plugins' modules that know weights formats.
            texts, readable: see `ToRead`.

        Raises:
            SubmissionError: it cannot be used, or takes too long or too much memory to read.
            UsageError: there is nothing at its path.
            MachineError: this machine failed.
            HarnessError: the reading process failed, which is never a student's fault.
            Cancelled: `stopping` was set.
        """
        from harness.worker.reading import MAX_REPLY_BYTES, ToRead

        try:
            # It works in another folder, where a relative path would lead nowhere.
            hand_in = replace(hand_in, path=hand_in.path.absolute())
            asked = ToRead(hand_in, scratch.absolute(), tuple(formats), limits, seconds, texts, readable)
            self._connection.send(asked)
            deadline = time.monotonic() + seconds
            while not self._connection.poll(_TICK_SECONDS):
                if stopping.is_set():
                    self.close()
                    raise Cancelled("the run was stopped")
                if time.monotonic() >= deadline:
                    self.close()
                    raise SubmissionError(
                        "timed_out", f"stopped after {seconds:g} s while reading what was handed in", _ADVICE
                    )
            document = self._connection.recv_bytes(MAX_REPLY_BYTES)
        except (EOFError, OSError) as error:
            self.close()
            raise HarnessError(f"the process that reads hand-ins ended with code {self._process.returncode}") from error
        return _submission(document)


def _submission(document: bytes) -> Submission:
    from harness.worker.reading import MEMORY_BYTES, SUBMISSION

    if document.startswith(b'{"id"'):
        return SUBMISSION.validate_json(document)
    match json.loads(document):
        case {"failed": [status, reason, hint]}:
            raise SubmissionError(status, reason, hint)
        case {"usage": reason}:
            raise UsageError(reason)
        case {"machine": reason}:
            raise MachineError(reason)
        case {"exhausted": "MemoryError"}:
            limit = f"{MEMORY_BYTES / 2**20:,.0f} MiB"
            raise SubmissionError("out_of_memory", f"reading what was handed in takes more than {limit}", _ADVICE)
        case {"exhausted": _}:
            raise SubmissionError.rejected("what was handed in is nested too deeply to be read", _ADVICE)
        case {"plugin": said}:
            raise PluginError(said)
        case {"accident": said, "where": where}:
            error = HarnessError(f"while the hand-in was read: {said}")
            error.add_note(where)
            raise error
        case other:
            raise HarnessError(f"the process that reads hand-ins answers nonsense: {str(other)[:200]}")


def _end(connection: Connection, process: subprocess.Popen[bytes]) -> None:
    connection.close()
    process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_TICK_SECONDS * 100)
