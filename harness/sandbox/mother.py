"""Start the mother of a sandbox's zygotes, seen from the grader."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

from harness.errors import HarnessError
from harness.worker.protocol import BrokenFrame, ChannelClosed, ChannelTimeout, receive, send

_BOOT = "from harness.worker import main; main()"
_START_SECONDS = 120.0
_END_SECONDS = 0.2
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108 - nothing can be written there, but libraries want a home
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "MPLBACKEND": "agg",
    "MPLCONFIGDIR": "/tmp",  # noqa: S108 - as above; matplotlib would look for a better place and fail
    "TORCHINDUCTOR_CACHE_DIR": "/",  # torch's compiler makes the folder when it is imported; nothing is compiled
    # Page faults of big temporaries are half the run time with glibc's defaults: keep freed memory.
    "GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=4294967296",
}


class Mother:
    """A process that imports torch in the background from now on, and then forks zygotes.

    Args:
        command: makes her command line of a program and its arguments: where she shall run.
    """

    def __init__(self, command: Callable[[Sequence[str]], Sequence[str]] = list) -> None:
        self._control, theirs = socket.socketpair()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - as long as she lives
        self._lock = threading.Lock()
        self._ready = threading.Event()
        with theirs:
            argv = [sys.executable, "-I", "-c", _BOOT, str(theirs.fileno())]
            self._process = _start(command(argv), theirs, self._said)
        self._end = weakref.finalize(self, _end, self._control, self._process, self._said, self._ready)

    @property
    def alive(self) -> bool:
        return self._end.alive and self._process.poll() is None

    def zygote(self, settings: Mapping[str, Any], descriptors: Sequence[int]) -> None:
        """Have her fork one, which answers for itself; see `harness.worker.mother`.

        Raises:
            HarnessError: she did not come up, or is gone.
        """
        with self._lock:
            try:
                if not self._ready.is_set():
                    deadline = time.monotonic() + _START_SECONDS
                    receive(self._control, max_payload_bytes=0, deadline=deadline)
                    self._ready.set()
                send(self._control, "zygote", settings, {}, descriptors)
            except (ChannelClosed, ChannelTimeout, BrokenFrame) as error:
                raise HarnessError(self._last_words(error)) from error

    def close(self) -> None:
        """End her; zygotes behind no wall of hers live on."""
        self._end()

    def _last_words(self, error: Exception) -> str:
        how = type(error).__name__ if isinstance(error, ChannelTimeout) else error
        self._said.seek(0)
        words = self._said.read().decode(errors="replace").strip()[-2000:]
        self.close()
        return ": ".join(filter(None, (f"the process that starts workers does not answer ({how})", words)))


def _start(command: Sequence[str], theirs: socket.socket, said: BinaryIO) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - our own words
            command,
            cwd="/",
            env=dict(ENVIRONMENT),
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            # Neither Ctrl-C nor a terminal's hang-up is her business: she ends when our socket closes.
            start_new_session=True,
        )
    except OSError as error:
        raise HarnessError(f"the process that starts workers cannot be started: {error}") from error


def _end(control: socket.socket, process: subprocess.Popen[bytes], said: BinaryIO, ready: threading.Event) -> None:
    control.close()
    said.close()
    # She ends by herself unless she still imports torch; whose processor time counts is then settled as well.
    if ready.is_set():
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)
            return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
