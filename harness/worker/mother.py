"""Import torch once, and fork a zygote for each request: in the grader's own namespaces, or in those of a wall.

The mother stands outside of every wall and never runs or sees anything of a student's. A zygote that belongs behind
bubblewrap's wall is forked here and then enters the namespaces that bubblewrap built around one box (`man 2 setns`).
There it has the view, the rights and the neighbours of a program that bubblewrap started, but torch in it already. What
it takes along is memory of imports, its socket, and the output that the mother has: no folder, no other descriptor.

    mother -> grader   ready {}
    grader -> mother   zygote {settings of the zygote, "wall": whether to enter one} + descriptors (control[, a process
                       behind the wall])
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import re
import signal
import socket
import sys
from importlib.metadata import entry_points
from pathlib import Path

from harness.worker import kernel, zygote
from harness.worker.protocol import ChannelClosed, Frame, receive, send

_MODULES = ("torchinfo", "torch.nn.utils.prune", "torch.utils.flop_counter", "harness.worker.session")


def run(descriptor: int) -> None:
    """Serve until the grader hangs up; returns in zygotes, too, when they have served.

    Args:
        descriptor: of the socket to the grader.

    Raises:
        RuntimeError: the imports left threads behind, which forked processes would miss.
    """
    gc.disable()  # while so much is imported, a third of a second goes into looking for garbage that is none
    grader = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGCHLD, _reap)
    if sys.platform == "linux":
        kernel.adopt_orphans()
        kernel.undumpable()
    _prepare()
    send(grader, "ready", {}, {})
    with contextlib.suppress(ChannelClosed):
        while True:
            frame = receive(grader, max_payload_bytes=0, accept_descriptors=True)
            if not os.fork():
                grader.close()
                _be_zygote(frame)
                return
            for each in frame.descriptors:
                os.close(each)


def _reap(*_: object) -> None:
    """Take note of zygotes that ended, and of the processes that led them behind a wall, so that their time counts."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _prepare() -> None:
    """Import and try once what every worker needs."""
    import torch
    from torch import nn

    from harness.worker.trace import trace
    from harness.worker.without_compiler import answer_for_the_compiler

    torch.set_num_threads(1)
    for name in _MODULES:
        importlib.import_module(name)
    # Behind Landlock a folder that holds more than plugins cannot be listed, so a worker could not find them any more.
    for plugin in entry_points(group="harness"):
        with contextlib.suppress(Exception):  # the grader has loaded them, and has told what is wrong with them
            plugin.load()
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 4)).eval()
    with torch.inference_mode():
        network(torch.zeros(2, 3, 8, 8).contiguous(memory_format=torch.channels_last))
    trace(network, (3, 8, 8), 4)
    answer_for_the_compiler()
    gc.freeze()
    gc.enable()
    threads = len(list(Path("/proc/self/task").glob("*"))) or 1
    if threads > 1:
        raise RuntimeError(f"the imports started {threads - 1} threads, which forked processes would miss")


def _be_zygote(frame: Frame) -> None:
    """A zygote's whole life, in the child of the mother."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    control = socket.socket(fileno=frame.descriptors[0])
    try:
        os.setsid()
        if frame.facts["wall"]:
            _enter(frame.descriptors[1], root=frame.facts["uid"] is not None)
        zygote.run(control, frame.facts)
    except OSError as error:
        send(control, "refused", {"reason": str(error)}, {})


def _enter(process: int, *, root: bool) -> None:
    """Go where that process is; what returns is a new process there, without any right that the wall takes away.

    Args:
        process: a descriptor of it.
        root: whether this one must still become an ordinary user, and needs the capabilities for it till then.

    Raises:
        OSError: it is not allowed to.
    """
    found = re.search(r"^Pid:\s+(\d+)$", Path(f"/proc/self/fdinfo/{process}").read_text(), re.MULTILINE)
    if found is None or found[1] == "-1":
        raise ProcessLookupError("the process behind the wall has ended")
    kernel.enter_namespaces(process, int(found[1]))
    os.close(process)
    if os.fork():  # only children are in the namespace of processes that was entered
        os._exit(0)
    os.chdir("/")
    kernel.no_new_privileges()
    kernel.no_capability_ever()
    if not root:
        kernel.capabilities(0)
