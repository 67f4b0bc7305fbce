"""`--times`: every command that shows points takes it, grading stops before it starts where it has mistakes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli_fakes import HW, FakeGrading
from click.testing import Result as Run
from result_fakes import result

from harness.assignment.shipped import fixtures

Harness = Callable[..., Run]
LATE = """
[rubric.late]
timezone = "Asia/Taipei"
due = 2026-02-01T12:00:00
percent_per_day = 10
"""


@pytest.fixture
def late_work(tmp_path: Path, fake: FakeGrading) -> Path:
    """An assignment that takes a share for lateness, in which alice handed in a day late."""
    fake.outcomes["alice"] = result("alice", checks=())
    text = (fixtures() / "assignments" / f"{HW}.toml").read_text(encoding="utf-8")
    (tmp_path / "late.toml").write_text(text + LATE, encoding="utf-8")
    (tmp_path / "times.csv").write_text("id,submitted\nalice,2026-02-02 12:00\nzoe,2026-01-01 12:00\n")
    (tmp_path / "roster.csv").write_text("id\nalice\nzoe\n")
    return tmp_path / "late.toml"


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        (("export", "--to", "csv"), "lateness -0.3: handed in 2026-02-02 12:00 UTC+08:00"),
        (("leaderboard", "--ids"), "29.7 / "),
        (("report", "alice", "--audience", "instructor"), "2026-02-02 12:00 UTC+08:00"),
        (("statistics", "--json", "-"), '"late": 1'),
        (("grade", "class"), "29.7 / "),
    ],
)
def test_points_go_by_the_table(harness: Harness, late_work: Path, arguments: tuple[str, ...], seen: str) -> None:
    tables = ("--data", "test=data", "--roster", "roster.csv", "--times", "times.csv")
    Path("data").mkdir()
    graded = harness("grade", late_work, "class", *tables)
    assert graded.exit_code == 0, graded.output
    name, *rest = arguments
    options = tables if name in {"grade", "leaderboard"} else tables[2:]
    run = harness(name, late_work, *rest, *options)
    assert run.exit_code == 0, run.output
    assert seen in run.output


def test_a_mistake_in_the_table_is_told_before_anything_is_graded(
    harness: Harness, late_work: Path, fake: FakeGrading
) -> None:
    Path("times.csv").write_text("id,submitted\nalcie,soon\n")
    run = harness("grade", HW, "class", "--times", "times.csv")
    assert (run.exit_code, fake.graded) == (2, [])
    for mistake in (
        "times.csv: 2 mistakes",
        "line 2: no submission 'alcie'; did you mean 'alice'?",
        "line 2, submitted:",
    ):
        assert mistake in run.stderr
