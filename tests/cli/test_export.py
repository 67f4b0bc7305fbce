"""`harness export`: from the store to files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cli_fakes import HW, FakeGrading
from click.testing import Result as Run
from result_fakes import result

Harness = Callable[..., Run]


def test_points_go_to_stdout_or_a_file(harness: Harness, fake: FakeGrading) -> None:
    fake.outcomes["alice"] = result("alice", checks=(), nickname="Pruner")
    harness("grade", HW, "class")
    Path("marks.csv").write_text("submission,report,demo\nalice,19,5\n", encoding="utf-8")
    Path("roster.csv").write_text("id,name\nalice,Alice\nzoe,Zoë\n", encoding="utf-8")
    options = ("--manual", "marks.csv", "--roster", "roster.csv")
    run = harness("export", HW, "--to", "csv", *options)
    assert run.exit_code == 0, run.output
    assert "Alice" in run.stdout
    assert "Zoë" in run.stdout
    assert ",19.0,5.0," in run.stdout
    harness("export", HW, "--to", "csv", *options, "--out", "points.csv")
    assert Path("points.csv").read_text(encoding="utf-8") == run.stdout


def test_mistakes_in_the_files_are_listed_and_exit_with_2(harness: Harness) -> None:
    harness("grade", HW, "class")
    Path("marks.csv").write_text("submission,report,demo\nalcie,21,x\n", encoding="utf-8")
    run = harness("export", HW, "--to", "csv", "--manual", "marks.csv")
    assert run.exit_code == 2
    for mistake in ("marks.csv: 3 mistakes", "did you mean 'alice'?", "'21' is not a number from 0 to 20", "'x' is"):
        assert mistake in run.stderr


def test_an_unknown_exporter_is_suggested(harness: Harness) -> None:
    run = harness("export", HW, "--to", "cvs")
    assert run.exit_code == 2
    assert "did you mean 'csv'?" in run.stderr


def test_who_has_no_line_is_listed_and_exits_with_1(harness: Harness) -> None:
    harness("grade", HW, "class")
    lines = [
        "Student,ID,SIS Login ID,Section,Homework (7)",
        *(f"{each},1{at},{each},S," for at, each in enumerate(("alice", "bob"))),
    ]
    Path("book.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = ("--template", "book.csv", "--out", "grades")
    run = harness("export", HW, "--to", "canvas", *options)
    assert run.exit_code == 1
    assert "2 of 3 matched" in run.stderr
    assert "carol" in run.stderr.splitlines()
    Path("book.csv").write_text("\n".join([*lines, "carol,13,CAROL,S,"]) + "\n", encoding="utf-8")
    run = harness("export", HW, "--to", "canvas", *options)
    assert (run.exit_code, "3 of 3 matched" in run.stderr) == (0, True)
