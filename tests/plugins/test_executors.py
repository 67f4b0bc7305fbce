"""What becomes of a task when nobody is there to do it; with real workers: tests/sandboxed/test_executors.py."""

from __future__ import annotations

import threading
import time
from typing import Any

import harness_executors
import pytest
from harness_executors import _Workers

from harness.errors import Cancelled, Unreachable


class Deserted:
    """A scheduler without workers."""

    def nthreads(self) -> dict[str, int]:
        return {}


def ask(workers: Any, stopping: threading.Event) -> float:
    """Seconds until it was given up."""
    started = time.monotonic()
    with pytest.raises(Unreachable, match="all workers are gone"):
        workers.ask(max, 1, 2, stopping)
    return time.monotonic() - started


def test_workers_that_are_gone_are_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness_executors, "_OTHER_WORKER_SECONDS", 0.5)
    workers: Any = _Workers(Deserted())
    assert workers.size == 1
    assert ask(workers, threading.Event()) >= 0.5
    assert ask(workers, threading.Event()) < 0.5


def test_a_stopped_run_does_not_wait_for_workers() -> None:
    stopping = threading.Event()
    stopping.set()
    with pytest.raises(Cancelled):
        _Workers(Deserted()).ask(max, 1, 2, stopping)
