"""What several folders of tests share."""

from __future__ import annotations

from collections.abc import Iterator

import postgresql
import pytest


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgresql.Cluster]:
    """One PostgreSQL for the whole run, started when the first test needs it."""
    with postgresql.running() as started:
        yield started
