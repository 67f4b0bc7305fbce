"""Signals end a command at once, but not in the midst of an import."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli.stopping import ending_politely

SLOW = """
import os, signal, time
os.kill(os.getpid(), {number})
for _ in range(20):
    time.sleep(0.01)
whole = True
"""


def interrupted(doing: Callable[[], object]) -> None:
    with ending_politely():
        doing()
        time.sleep(10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_an_import_is_finished_before_a_command_ends(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    monkeypatch.syspath_prepend(tmp_path)
    name = f"slow_{number.name.lower()}"
    (tmp_path / f"{name}.py").write_text(SLOW.format(number=int(number)))
    before = signal.signal(number, usual)
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted(lambda: __import__(name))
        assert sys.modules[name].whole
        assert signal.getsignal(number) == usual
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            interrupted(lambda: os.kill(os.getpid(), number))
        assert time.monotonic() - started < 1
    finally:
        signal.signal(number, before)
        sys.modules.pop(name, None)
