"""One hand-in is one grader's, as long as that one lives."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from postgresql import Cluster

import harness.store.claims
from harness.store.claims import Claims
from harness.store.store import Store


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'harness.db'}"
    else:
        cluster: Cluster = request.getfixturevalue("cluster")
        url = cluster.url()
    with closing(Store.open(url)) as opened:
        yield opened


def elsewhere(claims: Claims) -> Claims:
    """As if made on another machine."""
    return replace(claims, holder=claims.holder.replace(" ", "-elsewhere ", 1))


def test_a_claim_excludes_others_until_it_is_released(store: Store) -> None:
    one, two = store.claims("hw"), store.claims("hw")
    assert one.take("alice")
    assert one.take("alice")
    assert (two.take("alice"), two.take("bob")) == (False, True)
    assert store.claims("another").take("alice")
    one.release("alice")
    assert not two.is_held("alice")
    assert two.take("alice")
    two.release()
    assert [one.is_held("alice"), one.is_held("bob")] == [False, False]


def test_a_claim_that_nobody_prolongs_runs_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness.store.claims, "SECONDS", 0.2)
    monkeypatch.setattr(harness.store.claims, "_PROLONGED_EVERY", 0.05)
    silent, prolonged, other = (elsewhere(store.claims("hw")) for _ in range(3))
    with prolonged.kept():
        assert silent.take("alice")
        assert prolonged.take("bob")
        deadline = time.monotonic() + 30
        while other.is_held("alice") and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (other.take("alice"), other.take("bob")) == (True, False)
    assert other.take("bob")


def test_a_dead_process_of_this_machine_holds_nothing(store: Store) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        started = harness.store.claims._started(process.pid)
        theirs = replace(store.claims("hw"), holder=f"{harness.store.claims._here()} {process.pid} {started} some-run")
        assert theirs.take("alice")
        mine = store.claims("hw")
        assert not mine.take("alice")
        process.kill()
        while harness.store.claims._started(process.pid):  # not even as a zombie
            time.sleep(0.01)
        assert mine.take("alice")


def test_many_who_ask_at_once_get_it_once(store: Store) -> None:
    taken: list[str] = []

    def grader(name: str) -> None:
        claims = store.claims("hw")
        taken.extend(f"{number} {name}" for number in range(10) if claims.take(str(number)))

    threads = [threading.Thread(target=grader, args=(name,)) for name in "abc"]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(each.split()[0] for each in taken) == sorted(map(str, range(10)))
