"""Fork workers: a zygote is a process with torch in it, and forks one locked worker for each request.

Importing torch takes seconds, forking a few milliseconds. Forking is safe because this process has exactly one thread,
never runs anything of a student's and never differentiates: torch's autograd engine refuses to work in the child of a
process that has used it. It is itself forked, from the mother (`harness.worker.mother`).

    zygote -> grader   ready {pid} + a descriptor of the process (Linux), which tells the grader its number for it;
                       or refused {reason}, and it ends
    grader -> zygote   torchvision {}: import it, which takes as long as torch itself, before a worker would
    zygote -> grader   imported {}
    grader -> zygote   fork {folder, memory_bytes, cpu_seconds} + descriptors (channel, output)
    zygote -> grader   forked {pid} + a descriptor of the process, likewise
    grader -> zygote   reap {pid, patience_seconds}
    zygote -> grader   reaped {code}: as subprocess counts, negative for a signal
"""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.torchvision_import import import_torchvision
from harness.worker import kernel
from harness.worker.confinement import DEVICES, Bounds, Locks, lock
from harness.worker.protocol import ChannelClosed, Frame, receive, send
from harness.worker.serve import serve

_POLL_SECONDS = 0.005


def run(control: socket.socket, settings: Mapping[str, Any]) -> None:
    """Serve until the grader hangs up.

    Args:
        control: a socket to the grader.
        settings: `uid` (a number to become, or null), `capabilities` (that stay then, as bits), `readable` (paths, or
            null for no Landlock), `seccomp` (a program in base64, or null).
    """
    _become(settings["uid"], settings["capabilities"])
    if sys.platform == "linux":
        kernel.adopt_orphans()
        kernel.undumpable()
    locks = _locks(settings)
    _announce(control, "ready", os.getpid())
    workers: set[int] = set()
    with contextlib.suppress(ChannelClosed):
        while True:
            frame = receive(control, max_payload_bytes=0, accept_descriptors=True)
            match frame.kind:
                case "torchvision":
                    with contextlib.suppress(Exception):  # students may do without it
                        import_torchvision()
                    send(control, "imported", {}, {})
                case "fork":
                    _fork(control, frame, locks, workers)
                case "reap":
                    code = _reap(frame.facts["pid"], frame.facts["patience_seconds"])
                    workers.discard(frame.facts["pid"])
                    _end_strays(workers)
                    send(control, "reaped", {"code": code}, {})
                case unknown:
                    raise ValueError(f"unknown request {unknown!r}")


def _become(uid: int | None, capabilities: int) -> None:
    if uid is not None:
        if capabilities:
            kernel.keep_capabilities()
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        kernel.capabilities(capabilities)


def _locks(settings: Mapping[str, Any]) -> Locks:
    readable, program = settings["readable"], settings["seccomp"]
    rules = None
    if readable is not None:
        there = [each for each in map(Path, readable) if each.exists()]
        rules = kernel.landlock_rules(there, (each for each in DEVICES if each.exists()))
    return Locks(
        landlock=rules,
        seccomp=None if program is None else base64.b64decode(program),
        capabilities=settings["capabilities"],
    )


def _fork(control: socket.socket, frame: Frame, locks: Locks, workers: set[int]) -> None:
    parent = os.getpid()
    child = os.fork()
    if not child:
        _work(frame, locks, parent)
    workers.add(child)
    for each in frame.descriptors:
        os.close(each)
    _announce(control, "forked", child)


def _announce(control: socket.socket, kind: str, pid: int) -> None:
    """Tell the grader of a process; its own number for it is another one where namespaces lie between."""
    process = [os.pidfd_open(pid)] if sys.platform == "linux" else []
    try:
        send(control, kind, {"pid": pid}, {}, process)
    finally:
        for each in process:
            os.close(each)


def _work(frame: Frame, locks: Locks, parent: int) -> None:
    """A worker's whole life; never returns."""
    try:
        channel, output = frame.descriptors
        facts = frame.facts
        os.chdir(facts["folder"])
        bounds = Bounds(facts["memory_bytes"], facts["cpu_seconds"])
        lock(locks, bounds, parent=parent, output=output, keep=(channel,))
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        serve(channel)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it must not run on as a second zygote
        with contextlib.suppress(BaseException):
            print(f"worker: {type(error).__name__}: {error}", file=sys.stderr, flush=True)  # noqa: T201 - captured
        os._exit(1)
    # Student code may have left threads or atexit handlers behind; none of them gets a turn.
    os._exit(0)


def _reap(child: int, patience_seconds: float) -> int:
    """The exit code of a worker that has `patience_seconds` to end by itself."""
    deadline = time.monotonic() + patience_seconds
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= deadline:
            with contextlib.suppress(PermissionError):
                os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            return os.waitstatus_to_exitcode(status)
        time.sleep(_POLL_SECONDS)


def _end_strays(workers: set[int]) -> None:
    """Kill what a worker left behind and we adopted; only without a system-call filter can there be any."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children")
    while listed.is_file():
        strays = set(map(int, listed.read_text().split())) - workers
        if not strays:
            return
        for each in strays:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(each, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(each, 0)
