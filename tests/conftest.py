"""What several folders of tests share: how they are marked, by what hypothesis draws, and PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import postgresql
import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

if "PYTEST_XDIST_WORKER" in os.environ:
    # Several processes of several threads each are many times slower than of one. To be said before torch is imported.
    os.environ["OMP_NUM_THREADS"] = "1"

_TESTS = Path(__file__).parent
_MARKS_OF_FOLDERS = {"sandbox": "sandbox", "sandboxed": "sandbox", "hostile": "sandbox", "browser": "browser"}
_TOGETHER = {"hostile", "browser"}
_MARKS_OF_FIXTURES = {"cluster": "postgresql"}

# The same examples in every run, and nothing kept between runs: what once failed stands beside its test as @example.
# A busy machine is no reason to fail, and folders of a test may be written again for each example.
_ALLOWED = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None, suppress_health_check=_ALLOWED)
settings.register_profile("random", print_blob=True, deadline=None, suppress_health_check=_ALLOWED)
settings.load_profile("random" if os.environ.get("HARNESS_HYPOTHESIS") == "random" else "repeatable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the folder they lie in and by the fixtures they ask for."""
    for item in items:
        folder = item.path.relative_to(_TESTS).parts[0]
        names = [_MARKS_OF_FOLDERS.get(folder), *map(_MARKS_OF_FIXTURES.get, getattr(item, "fixturenames", ()))]
        for name in names:
            if name is not None:
                item.add_marker(name)


class _ByFixtures(LoadFileScheduling):
    """Tests that share what is expensive to make run in one process: those of a file, or of `_TOGETHER`."""

    def _split_scope(self, nodeid: str) -> str:
        folder = nodeid.removeprefix("tests/").partition("/")[0]
        return folder if folder in _TOGETHER else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _ByFixtures:
    """Who of several processes runs which tests."""
    return _ByFixtures(config, log)


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgresql.Cluster]:
    """One PostgreSQL for the whole run, started when the first test needs it."""
    with postgresql.running() as started:
        yield started
