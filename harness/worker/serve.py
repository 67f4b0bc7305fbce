"""The worker's loop: limits first, then torch, then one request after the other."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import sys
from pathlib import Path
from typing import Any

from harness.protocol import ChannelClosed, Frame, receive, send
from harness.worker.failures import failure
from harness.worker.session import Session

_MAX_REQUEST_BYTES = 2**31
_OPEN_FILES = 256


def serve(descriptor: int, memory_bytes: int) -> None:
    """Answer requests until the socket closes."""
    channel = socket.socket(fileno=descriptor)
    _limit(memory_bytes)
    session = Session(Path.cwd())
    send(channel, "ready", {}, {})
    with contextlib.suppress(ChannelClosed):
        while True:
            frame = receive(channel, max_payload_bytes=_MAX_REQUEST_BYTES, accept_descriptors=True)
            _answer(channel, session, frame)


def _answer(channel: socket.socket, session: Session, frame: Frame) -> None:
    try:
        facts, tensors = session.handle(frame)
    except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt of a student are failures too
        refused = failure(error)
        facts = {"status": refused.status, "reason": refused.reason, "hint": refused.hint}
        send(channel, "failed", facts, {})
    else:
        send(channel, "done", facts, tensors)
    finally:
        for each in frame.descriptors:
            os.close(each)
        with contextlib.suppress(Exception):
            sys.stdout.flush()


def _limit(memory_bytes: int) -> None:
    """Bounds that hold for this process and its children; they cannot be raised again."""
    limits: dict[Any, int] = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_FSIZE: 64 * 2**20,
    }
    if sys.platform == "linux":
        # Address space is not memory: torch alone maps most of a gigabyte. Resident memory is watched from outside.
        limits[resource.RLIMIT_AS] = memory_bytes + 2 * 2**30
    for which, value in limits.items():
        with contextlib.suppress(ValueError):
            resource.setrlimit(which, (value, value))
