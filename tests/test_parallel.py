"""Shared out or not, the same comes back."""

from __future__ import annotations

import multiprocessing
import os
import threading
from itertools import islice

import pytest

from harness.parallel import mapped, usable_cpus

VALUES = range(1_000)
HERE = os.getpid()


@pytest.fixture
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests may have left threads."""
    monkeypatch.setattr(threading, "active_count", lambda: 1)


@pytest.mark.usefixtures("_alone")
def test_processes_share_the_work_and_keep_the_order() -> None:
    found = list(mapped(lambda value: (value * value, os.getpid()), VALUES, processes=3))
    assert [square for square, _ in found] == [value * value for value in VALUES]
    workers = {process for _, process in found}
    assert len(workers) == 3
    assert HERE not in workers
    assert not multiprocessing.active_children()


@pytest.mark.usefixtures("_alone")
def test_a_mistake_is_seen_where_the_results_are() -> None:
    made = mapped(lambda value: 1 / (value - 500), VALUES, processes=2)
    assert len(list(islice(made, 500))) == 500
    with pytest.raises(ZeroDivisionError):
        next(made)
    assert not multiprocessing.active_children()


@pytest.mark.usefixtures("_alone")
def test_a_process_that_is_killed_costs_no_result() -> None:
    def work(value: int) -> int:
        if value == 501 and os.getpid() != HERE:
            os._exit(1)
        return value

    assert list(mapped(work, VALUES, processes=2)) == list(VALUES)


@pytest.mark.usefixtures("_alone")
def test_who_stops_early_leaves_no_process() -> None:
    made = mapped(lambda value: "x" * 100_000, VALUES, processes=2)
    next(made)
    assert len(multiprocessing.active_children()) == 2
    del made
    assert not multiprocessing.active_children()


def test_usable_cpus() -> None:
    assert usable_cpus() >= 1


def test_few_values_and_threads_stay_in_this_process() -> None:
    assert set(mapped(lambda _: os.getpid(), VALUES[:10], processes=2)) == {HERE}
    end = threading.Event()
    beside = threading.Thread(target=end.wait)
    beside.start()
    try:
        assert set(mapped(lambda _: os.getpid(), VALUES, processes=2)) == {HERE}
    finally:
        end.set()
        beside.join()
