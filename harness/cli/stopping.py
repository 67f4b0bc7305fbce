"""Take a wish to end for what it is, at a moment that leaves nothing half done."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

_AGAIN_SECONDS = 0.05
_Handler = Callable[[int, FrameType | None], Any] | signal.Handlers
_USUAL: Mapping[str, _Handler] = {
    "SIGINT": signal.default_int_handler,
    "SIGTERM": signal.SIG_DFL,
    "SIGHUP": signal.SIG_DFL,
}
_IMPORT = "<frozen importlib"


@contextmanager
def ending_politely() -> Iterator[None]:
    """Take a wish to end, or a terminal that was closed, for Ctrl-C: nothing is lost and nothing left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = {getattr(signal, name): usual for name, usual in _USUAL.items() if hasattr(signal, name)}
    # One that is ignored, as under nohup, stays ignored.
    ours = [number for number, usual in names.items() if signal.getsignal(number) == usual]
    for number in ours:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, names[number])


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, but not in the midst of an import, which leaves half a module behind.

    Whoever imports torch after that crashes. So the signal comes again a moment later.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith(_IMPORT):
            again = threading.Timer(_AGAIN_SECONDS, os.kill, (os.getpid(), number))
            again.daemon = True
            again.start()
            return
        frame = frame.f_back
    raise KeyboardInterrupt
