"""A grading core that grades nothing, and a store of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cli_fakes import FakeGrading, install

from harness.store.store import Store


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeGrading:
    made = FakeGrading()
    install(monkeypatch, made)
    return made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store.open(f"sqlite:///{tmp_path}/harness.db")) as opened:
        yield opened
