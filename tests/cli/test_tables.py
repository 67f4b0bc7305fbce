"""Tables of results: kept, shown in every format, and nothing of a student's interpreted on the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli_fakes import HW, FakeGrading
from click.testing import Result as Run
from result_fakes import result

from harness.api import Metric, Row, Table
from harness.values.results import Result

HOSTILE = "a|b<script>\x1b[31m=1+1"
ACCURACY = Metric(value=0.5, unit="fraction", higher_is_better=True, low=0.4, high=0.6)
TABLE = Table(name="methods", columns=("accuracy", "what"), rows=(Row(label=HOSTILE, cells=(ACCURACY, None)),))


def test_rows_are_as_long_as_the_head():
    with pytest.raises(ValueError, match="1 cells for 2 columns"):
        Table(name="methods", columns=("a", "b"), rows=(Row(label="x", cells=(None,)),))


def test_a_table_comes_back_from_json():
    kept = result("alice", 0.9, tables=(TABLE,))
    assert Result.model_validate_json(kept.to_json()).tables == (TABLE,)


@pytest.fixture
def graded(harness: Callable[..., Run], fake: FakeGrading) -> Callable[..., Run]:
    fake.outcomes["alice"] = result("alice", 0.9, tables=(TABLE,))
    assert harness("grade", HW, "class").exit_code == 0
    return harness


@pytest.mark.parametrize(
    ("format_name", "label"),
    [("terminal", "a|b<script>=1+1"), ("markdown", r"a\|b&lt;script&gt;=1+1"), ("html", "a|b&lt;script&gt;=1+1")],
)
def test_every_report_shows_it(graded: Callable[..., Run], format_name: str, label: str) -> None:
    run = graded("report", HW, "alice", "--format", format_name, "--out", "report")
    assert run.exit_code == 0, run.output
    text = Path("report").read_text(encoding="utf-8")
    assert label in text
    assert "50.00 %" in text
    assert "40.00–60.00 %" in text
    assert "–" in text
    assert "\x1b" not in text
    assert format_name == "terminal" or "<script>=" not in text
