"""The runs that the tests look at; each is made once, when the first test asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hostile_arena import ARENAS, Arena


@pytest.fixture(scope="session", params=ARENAS, ids="-".join)
def arena(request: pytest.FixtureRequest) -> Iterator[Arena]:
    arena = Arena(*request.param)
    yield arena
    arena.close()


@pytest.fixture
def outcome(arena: Arena) -> dict[str, Any]:
    return arena.run("grade")
