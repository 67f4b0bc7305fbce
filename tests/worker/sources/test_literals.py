"""What stands in sources beside code is told by its place, so that a person can look at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.worker.sources.definitions import Sources


@pytest.mark.parametrize(
    ("source", "longest"),
    [
        ("def f():\n    pass\n", ""),
        ("x = 1\ny = [1.25,\n     'four']\n", "6 characters at model.py line 3"),
        (f"# {'c' * 99}\nx = b'{'a' * 5000}'\ny = 'b'\n", "5,003 characters at model.py line 2"),
    ],
)
def test_the_longest_literal_has_a_place(source: str, longest: str, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(source)
    (tmp_path / "short.py").write_text("x = 7\n" if longest else "")
    assert Sources(tmp_path, ["model.py", "short.py"]).longest_literal() == longest
