"""Serve requests, one after the other: each is answered, or refused with the reason."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from pathlib import Path

from harness.errors import PluginError
from harness.worker.failures import failure
from harness.worker.protocol import ChannelClosed, Frame, receive, send
from harness.worker.session import Session

_MAX_REQUEST_BYTES = 2**31


def serve(descriptor: int) -> None:
    """Answer requests about the submission in the current folder until the socket closes."""
    channel = socket.socket(fileno=descriptor)
    session = Session(Path.cwd())
    with contextlib.suppress(ChannelClosed):
        while True:
            frame = receive(channel, max_payload_bytes=_MAX_REQUEST_BYTES, accept_descriptors=True)
            _answer(channel, session, frame)


def _answer(channel: socket.socket, session: Session, frame: Frame) -> None:
    try:
        facts, tensors = session.handle(frame)
    except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt of a student are failures too
        refused = failure(error, session.input_shape)
        plugin = isinstance(error, PluginError)
        reason = str(error) if plugin else refused.reason
        facts = {"status": refused.status, "reason": reason, "hint": refused.hint, "plugin": plugin}
        send(channel, "failed", facts, {})
    else:
        send(channel, "done", facts, tensors)
    finally:
        for each in frame.descriptors:
            os.close(each)
        with contextlib.suppress(Exception):
            sys.stdout.flush()
