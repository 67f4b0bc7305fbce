"""One submission has one score: every face of a class says the same numbers, worked out by hand."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_fakes import HW, FakeGrading
from click.testing import Result as Run
from result_fakes import result

from harness.api import Check
from harness.values.results import PointLine, Result

Harness = Callable[..., Run]
# Of 100: 45 for the baseline, 30 by rank, 20 and 5 by hand. Alice is the better of two, and her report got 19.
TOTALS = {"alice": (94.0, "5 by hand to come"), "bob": (45.0, "25 by hand to come")}
AUTOMATIC = {"now": 45.0, "after_publication": 0.0, "by_rank": 30.0, "by_hand": 25.0, "total": 100.0}
MANUAL = ("--manual", "marks.csv")


def outcome(name: str, accuracy: float) -> Result:
    checks = [Check.passed(each, "so it is") for each in ("parameter_limit", "accuracy_baseline")]
    line = PointLine(name="accuracy baseline", points=45, max_points=45, reason="accuracy reaches it")
    return result(name, accuracy, checks=checks, points=[line], score=45.0, max_score=45.0)


@pytest.fixture
def graded(harness: Harness, fake: FakeGrading) -> Harness:
    (Path("class") / "carol").rmdir()
    fake.outcomes |= {name: outcome(name, accuracy) for name, accuracy in (("alice", 0.95), ("bob", 0.9))}
    Path("marks.csv").write_text("submission,report,demo\nalice,19,\n", encoding="utf-8")
    Path("roster.csv").write_text("id,name,email\nalice,Alice,a@x.org\nbob,Bob,b@x.org\n", encoding="utf-8")
    assert harness("grade", HW, "class", "--json", "grade.json").exit_code == 0
    return harness


def rows(text: str) -> dict[str, dict[str, str]]:
    """A table's lines by submission."""
    return {line["submission"]: line for line in csv.DictReader(io.StringIO(text))}


def whole(name: str) -> str:
    score, to_come = TOTALS[name]
    return f"{score:g} of 100 so far; {to_come}"


def test_check_and_grade_say_what_is_automatic_and_what_is_to_come(graded: Harness) -> None:
    run = graded("check", HW, "class/alice")
    assert "45 of 100 so far; 30 by rank, 25 by hand to come" in run.stdout
    for found in json.loads(Path("grade.json").read_text(encoding="utf-8"))["results"]:
        assert (found["score"], found["max_score"], found["points_possible"]) == (45, 45, AUTOMATIC)


@pytest.mark.parametrize("name", TOTALS)
def test_boards_say_it(graded: Harness, name: str) -> None:
    score, _ = TOTALS[name]
    table = rows(graded("leaderboard", HW, "--ids", *MANUAL, "--format", "csv").stdout)
    assert float(table[name]["score"]) == score
    document = json.loads(graded("leaderboard", HW, "--ids", *MANUAL, "--format", "json").stdout)
    assert {row["submission"]: row["score"] for row in document["standings"]}[name] == score
    graded("leaderboard", HW, "--ids", *MANUAL, "--format", "html", "--out", "site")
    pages = [each.read_text(encoding="utf-8") for each in Path("site/submissions").iterdir()]
    assert [each for each in pages if whole(name) in each and f"<bdi>{name}</bdi>" in each]
    shown = [
        Path("site/index.html").read_text(encoding="utf-8"),
        graded("leaderboard", HW, "--ids", *MANUAL).stdout,
        graded("leaderboard", HW, "--ids", *MANUAL, "--format", "markdown").stdout,
    ]
    assert all(f"{score:g} / 100" in each for each in shown)


@pytest.mark.parametrize("name", TOTALS)
def test_reports_say_it(graded: Harness, name: str) -> None:
    for format_name in ("terminal", "markdown", "html"):
        assert whole(name) in graded("report", HW, name, *MANUAL, "--format", format_name).stdout
    document = json.loads(graded("report", HW, name, *MANUAL, "--format", "json").stdout)
    assert (document["score"], document["points_possible"]["total"]) == (TOTALS[name][0], 100)
    # What the result itself covers is as it was graded.
    assert document["results"][0]["points_possible"] == AUTOMATIC
    graded("report", HW, "--all", *MANUAL, "--format", "markdown", "--out", "reports")
    assert rows(Path("reports/reports.csv").read_text(encoding="utf-8"))[name]["score"] == whole(name)


@pytest.mark.parametrize("name", TOTALS)
def test_exports_say_it(graded: Harness, name: str) -> None:
    score, to_come = TOTALS[name]
    line = rows(graded("export", HW, "--to", "csv", *MANUAL).stdout)[name]
    assert (float(line["score"]), line["to_come"]) == (score, to_come)
    graded("export", HW, "--to", "gradescope", *MANUAL, "--roster", "roster.csv", "--out", "scope")
    handed_out = json.loads(Path("scope/points.json").read_text(encoding="utf-8"))[f"{name[0]}@x.org"]
    assert handed_out["score"] == score == sum(test["score"] for test in handed_out["tests"])
    Path("book.csv").write_text(f"Student,ID,Section,Homework (7)\n{name},{name},S,\n", encoding="utf-8")
    graded("export", HW, "--to", "canvas", *MANUAL, "--template", "book.csv", "--out", "canvas")
    (file,) = Path("canvas").glob("canvas*.csv")
    (cells,) = csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig")))
    assert float(cells["Homework (7)"]) == score
    header = "Identifier,Full name,Email address,Grade,Maximum Grade,Last modified (grade)"
    people = "".join(f"Participant {place},{each},{each[0]}@x.org,,100.00,-\n" for place, each in enumerate(TOTALS))
    Path("sheet.csv").write_text(f"{header}\n{people}", encoding="utf-8")
    moodle = ("--to", "moodle", *MANUAL, "--roster", "roster.csv", "--template", "sheet.csv", "--out", "moodle.csv")
    assert "2 of 2 matched" in graded("export", HW, *moodle).stderr
    grades = csv.DictReader(io.StringIO(Path("moodle.csv").read_text(encoding="utf-8")))
    assert {line["Full name"]: float(line["Grade"]) for line in grades}[name] == score


def test_the_class_sees_what_networks_earned_as_part_of_the_same_whole(graded: Harness) -> None:
    """45 and 30 by rank; what is given by hand is between instructor and student, and stays to come for everyone."""
    shown = graded("leaderboard", HW, *MANUAL).stdout
    assert "75 / 100" in shown
    assert "25 by hand to come" in shown
    assert "94 / 100" not in shown
