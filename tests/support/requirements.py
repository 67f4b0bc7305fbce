"""What this machine may lack: tests that need it are skipped, unless HARNESS_REQUIRE_ALL=1 says that nothing is."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def lacking(what: str) -> NoReturn:
    """Skip the test, or fail it where everything is required."""
    if os.environ.get("HARNESS_REQUIRE_ALL") == "1":
        pytest.fail(what)
    pytest.skip(what)
