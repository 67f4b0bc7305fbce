"""What a small encoding lacks is printed in words: a verdict is never a question mark."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_verdicts_survive_a_small_encoding(encoding: str) -> None:
    code = "from harness.cli.characters import make_printable; make_printable(); print('✓ ✗ → 漢')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.decode(encoding).strip() == "ok FAIL -> ?"
