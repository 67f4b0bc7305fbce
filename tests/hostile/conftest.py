"""The runs that the tests look at; each is made once, when the first test asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hostile_arena import ARENAS, Arena


@pytest.fixture(scope="session")
def arenas() -> Iterator[dict[tuple[str, str], Arena]]:
    made = {each: Arena(*each) for each in ARENAS}
    yield made
    for arena in made.values():
        arena.close()


@pytest.fixture(params=ARENAS, ids="-".join)
def arena(arenas: dict[tuple[str, str], Arena], request: pytest.FixtureRequest) -> Arena:
    return arenas[request.param]


@pytest.fixture
def outcome(arena: Arena) -> dict[str, Any]:
    return arena.graded()
