"""Try what no worker may do, as a worker: the sandbox's self-test when grading starts.

Every attempt aims at something the grader made for it, or at the worker itself, and undoes nothing because a lock that
holds lets nothing happen.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from harness.worker.messages import TryForbidden

FILTERED = frozenset(
    ("start a process", "run a program", "make a socket", "make a memory file", "signal its parent", "write scratch")
)
"""Attempts that Landlock or the system-call filter stop, and namespaces alone do not."""


def succeeded(targets: TryForbidden) -> list[str]:
    """The attempts that were possible.

    Args:
        targets: what the grader made to be attacked, outside the box.
    """
    attempts: dict[str, Callable[[], object]] = {
        "read a file outside": lambda: Path(targets.file).read_bytes(),
        "list a folder outside": lambda: list(Path(targets.folder).iterdir()),
        "write outside": lambda: Path(targets.folder, "written").write_bytes(b"x"),
        "write to its own box": lambda: Path("written").write_bytes(b"x"),
        "write scratch": lambda: tempfile.TemporaryFile().close(),
        "write beside Python's libraries": lambda: Path(os.__file__).with_name("written").write_bytes(b"x"),
        "connect over TCP": lambda: socket.create_connection(("127.0.0.1", targets.port), timeout=2).close(),
        "connect to an abstract socket": lambda: _connect(targets.abstract),
        "make a socket": lambda: socket.socket(socket.AF_UNIX).close(),
        "start a process": _fork,
        "run a program": lambda: subprocess.run([sys.executable, "-V"], check=True, capture_output=True),
        "make a memory file": lambda: os.close(os.memfd_create("written")),
        "signal its parent": lambda: os.kill(os.getppid(), signal.SIGCONT),
        "attach to its parent": lambda: _attach(os.getppid()),
        "become root": lambda: os.setuid(0),
    }
    return [name for name, attempt in attempts.items() if _possible(attempt)]


def _possible(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except Exception:  # noqa: BLE001 - however it is refused
        return False
    return True


def _connect(name: str) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\0" + name)


def _fork() -> None:
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)


def _attach(parent: int) -> None:
    attach = 16
    if ctypes.CDLL(None, use_errno=True).ptrace(attach, parent, None, None) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")
