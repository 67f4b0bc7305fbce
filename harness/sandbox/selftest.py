"""Test the sandbox: a worker tries what is forbidden before the first submission comes near it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import HarnessError, SandboxUnavailable, SubmissionError
from harness.sandbox.boxes import Sandbox
from harness.sandbox.process import Usage
from harness.sandbox.rooms import room
from harness.worker.forbidden import FILTERED
from harness.worker.messages import TryForbidden
from harness.worker.replies import Tried

_USAGE = Usage(memory_bytes=2 * 2**30, cpu_seconds=60, threads=64)


def refuse_unless_it_holds(sandbox: Sandbox) -> None:
    """Start a zygote, which the first submission will then use, and let a worker of it attack.

    Raises:
        SandboxUnavailable: it does not start, or something forbidden was possible.
    """
    try:
        possible = _attacks(sandbox)
    except (HarnessError, SubmissionError) as error:
        raise SandboxUnavailable(f"the sandbox {sandbox.name} does not start here: {error}") from error
    # A zygote for one submission needs no filter: what its worker starts or attacks ends with it.
    breaches = [each for each in possible if sandbox.wall.reusable or each not in FILTERED]
    if breaches:
        raise SandboxUnavailable(
            f"the sandbox {sandbox.name} does not hold here: a worker could {', '.join(breaches)}; please report this "
            "with the output of 'harness doctor' and 'uname -a'"
        )


def _attacks(sandbox: Sandbox) -> list[str]:
    with sandbox.box() as box, _targets() as targets, box.worker(box.path, _USAGE, threading.Event()) as worker:
        reply = worker.ask(
            targets.kind,
            targets.model_dump(),
            {},
            limit_seconds=30,
            max_reply_bytes=2**16,
            doing="trying what is forbidden",
        )
        return list(Tried.model_validate(reply.facts).possible)


@contextmanager
def _targets() -> Iterator[TryForbidden]:
    name = f"harness-{os.getpid()}-{os.urandom(8).hex()}"
    with (
        room() as folder,
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        # Open to everyone, so that only the sandbox stands in the way.
        folder.chmod(0o777)
        file = folder / "canary"
        file.write_text("sings")
        file.chmod(0o644)
        abstract.bind("\0" + name)
        abstract.listen()
        yield TryForbidden(file=str(file), folder=str(folder), port=listening.getsockname()[1], abstract=name)
