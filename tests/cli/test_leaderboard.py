"""`harness leaderboard` and `harness report`: from the store alone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from cli_fakes import HW, FakeGrading
from click.testing import Result as Run
from result_fakes import VERIFIED, result, unverified

from harness.api import Curve, Series
from harness.values.report import Document

Harness = Callable[..., Run]


@pytest.fixture
def graded(harness: Harness, fake: FakeGrading) -> Harness:
    checks = ()
    fake.outcomes["alice"] = result("alice", 0.9, checks=checks, nickname="Pruner|<b>", printed="label 7\x1b[2J")
    fake.outcomes["bob"] = result("bob", 0.95, checks=checks, notes=("dropped the prefix module.",))
    fake.outcomes["carol"] = result("carol", status="crashed", reason="ValueError: label 3", checks=checks)
    assert harness("grade", HW, "class").exit_code == 0
    return harness


def test_the_table_ranks_and_lists_apart(graded: Harness) -> None:
    run = graded("leaderboard", HW)
    assert run.exit_code == 0, run.output
    lines = run.stdout.splitlines()
    assert next(line for line in lines if line.startswith("1 ")).split()[:2] == ["1", "bob"]
    assert "Pruner|<b>" in run.stdout
    assert "carol" in run.stdout
    assert "label 3" not in run.stdout
    assert "alice" not in run.stdout
    instructor = graded("leaderboard", HW, "--ids").stdout
    assert "alice" in instructor
    assert "label 3" in instructor


@pytest.mark.parametrize(("name", "file"), [("markdown", "leaderboard.md"), ("csv", "leaderboard.csv"), ("json", "x")])
def test_writers_write_to_stdout_and_files(graded: Harness, name: str, file: str) -> None:
    run = graded("leaderboard", HW, "--format", name)
    assert run.exit_code == 0
    assert "bob" in run.stdout
    assert "label" not in run.stdout
    graded("leaderboard", HW, "--format", name, "--out", file)
    assert Path(file).read_text(encoding="utf-8") == run.stdout


def test_out_may_be_a_folder(graded: Harness) -> None:
    Path("site").mkdir()
    graded("leaderboard", HW, "--format", "csv", "--out", "site")
    assert Path("site/leaderboard.csv").is_file()
    graded("leaderboard", HW, "--out", "board.txt")
    assert "bob" in Path("board.txt").read_text(encoding="utf-8")


def test_an_unknown_format_lists_those_there_are(graded: Harness) -> None:
    run = graded("leaderboard", HW, "--format", "markdwon")
    assert run.exit_code == 2
    assert "did you mean 'markdown'? (known: table," in run.stderr


def test_other_data_is_not_compared(graded: Harness) -> None:
    run = graded("leaderboard", HW, "--data", "test=class", "--format", "json")
    board = json.loads(run.stdout)
    assert board["standings"] == []
    assert len(board["unranked"]) == 3


@pytest.mark.parametrize("command", [["leaderboard", HW], ["report", HW, "alice"]])
def test_without_a_store_nothing_is_made(harness: Harness, command: list[str]) -> None:
    run = harness(*command)
    assert run.exit_code == 2
    assert "no store at sqlite:///harness.db" in run.stderr
    assert not Path("harness.db").exists()


def test_a_store_without_this_assignment(graded: Harness) -> None:
    assert "holds no results of ntu-ml2020-hw7" in graded("leaderboard", "ntu-ml2020-hw7").stderr


def test_the_report_tells_everything_once(graded: Harness, fake: FakeGrading) -> None:
    text = graded("report", HW, "bob").stdout
    for expected in (
        "95.00 %",
        "94.00–96.00 %",
        "33 of 100 so far",
        "private rank",
        "not given yet",
        "dropped the prefix",
        "attempt 1",
        "bwrap",
        "baseline",
    ):
        assert expected in text
    # The same files graded again are the same attempt.
    graded("grade", HW, "class", "--fresh")
    assert "attempt 1 of 1" in graded("report", HW, "bob").stdout
    fake.digests["bob"] = "sha256:other files"
    graded("grade", HW, "class")
    assert "attempt 2 of 2" in graded("report", HW, "bob").stdout


@pytest.mark.parametrize("name", ["terminal", "markdown", "html", "json"])
def test_prints_and_failure_messages_are_the_instructors(graded: Harness, name: str) -> None:
    for submission, secret in (("alice", "label 7"), ("carol", "label 3")):
        assert secret not in graded("report", HW, submission, "--format", name).stdout
        shown = graded("report", HW, submission, "--format", name, "--audience", "instructor").stdout
        assert secret in shown
        assert "\x1b" not in shown


def test_report_formats(graded: Harness) -> None:
    document = Document.model_validate_json(graded("report", HW, "bob", "--format", "json").stdout)
    # What was graded, and beside it what the board adds: all points by rank, none by hand yet.
    assert document.results[0].score == 3
    assert (document.score, document.max_score) == (33, 60)
    assert graded("report", HW, "bob", "--format", "markdown").stdout.startswith("# bob\n")
    assert graded("report", HW, "bob", "--format", "html").stdout.startswith("<!doctype html>\n")
    run = graded("report", HW, "bob", "--format", "pdf")
    assert run.exit_code == 2
    assert "'terminal', 'markdown', 'html', 'json'" in run.stderr
    graded("report", HW, "bob", "--out", "bob.txt")
    assert "bob" in Path("bob.txt").read_text(encoding="utf-8")


def test_overrides_and_points_by_hand_are_in_the_report(graded: Harness) -> None:
    Path("points.csv").write_text("submission,report\nbob,17\n", encoding="utf-8")
    shown = graded("report", HW, "bob", "--manual", "points.csv").stdout
    assert "17 / 20" in shown
    assert graded("override", HW, "bob", "--score", "40", "--reason", "SPOKEN WITH HIM").exit_code == 0
    student = graded("report", HW, "bob").stdout
    assert "Score 40 / 100" in student
    assert "an instructor set this score" in student
    instructor = graded("report", HW, "bob", "--audience", "instructor", "--format", "html").stdout
    assert "SPOKEN WITH HIM" not in student
    assert "SPOKEN WITH HIM" in instructor
    assert "before: graded, 33 points" in instructor


def test_the_site_is_a_folder_with_a_page_for_everyone(graded: Harness) -> None:
    graded("override", HW, "bob", "--status", "rejected", "--reason", "SPOKEN WITH HIM")
    run = graded("leaderboard", HW, "--format", "html", "--out", "site")
    assert run.exit_code == 0, run.output
    pages = [path.read_text(encoding="utf-8") for path in Path("site").rglob("*.html")]
    assert len(pages) == 4
    assert "label 3" not in "".join(pages)
    assert "SPOKEN" not in "".join(pages)
    graded("leaderboard", HW, "--format", "html", "--ids", "--out", "instructors")
    pages = [path.read_text(encoding="utf-8") for path in Path("instructors").rglob("*.html")]
    for expected in ("label 3", "label 7", "SPOKEN"):
        assert expected in "".join(pages)
    assert all("not for" in page for page in pages)


def test_a_large_class_gets_the_board_alone_unless_asked(graded: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.cli.leaderboard._MAX_PAGES", 2)
    run = graded("leaderboard", HW, "--format", "html", "--out", "site")
    assert "3 submissions; --pages makes a page for each" in run.stderr
    assert [path.name for path in Path("site").rglob("*.html")] == ["index.html"]
    assert "submissions/" not in Path("site/index.html").read_text(encoding="utf-8")
    graded("leaderboard", HW, "--format", "html", "--out", "all", "--pages")
    assert len(list(Path("all").rglob("*.html"))) == 4


def test_an_unknown_submission_is_suggested(graded: Harness) -> None:
    run = graded("report", HW, "alise")
    assert run.exit_code == 2
    assert "did you mean 'alice'?" in run.stderr


def test_curves_that_are_hidden_are_not_called_unmeasured(harness: Harness, fake: FakeGrading) -> None:
    line = Series(label="global L1", points=((10.0, 0.9), (5.0, 0.5)))
    fake.outcomes["alice"] = result(
        "alice", 0.9, curves=(Curve(name="pruning", x="parameters", y="accuracy", series=(line,)),)
    )
    assert harness("grade", "ntu-ml2023-hw13", "class", "--data", "test=class").exit_code == 0
    hidden = harness("report", "ntu-ml2023-hw13", "alice", "--format", "svg")
    assert hidden.exit_code == 2
    assert "no curve is shown to students" in hidden.stderr
    assert "<svg" in harness("report", "ntu-ml2023-hw13", "alice", "--format", "svg", "--audience", "instructor").stdout


def test_curves_as_svg_files(harness: Harness, fake: FakeGrading) -> None:
    line = Series(label="L1", points=((10, 0.5), (5, 0.25)))
    curves = tuple(Curve(name=name, x="parameters", y="accuracy", series=(line,)) for name in ("pruning", "measured"))
    fake.outcomes["alice"] = result("alice", 0.9, curves=curves)
    fake.outcomes["bob"] = result("bob", 0.9, curves=())
    assert harness("grade", HW, "class").exit_code == 0
    assert harness("report", HW, "alice", "--format", "svg", "--out", "pictures").exit_code == 0
    assert sorted(each.name for each in Path("pictures").iterdir()) == ["measured.svg", "pruning.svg"]
    assert "<svg" in Path("pictures/pruning.svg").read_text(encoding="utf-8")
    several = harness("report", HW, "alice", "--format", "svg", "--out", "two.svg")
    assert several.exit_code == 2
    assert "there are 2 curves (pruning, measured): name a folder" in several.stderr
    assert not Path("two.svg").exists()
    for wrong in (("alice", "--format", "svg"), ("bob", "--format", "svg", "--out", "none")):
        assert harness("report", HW, *wrong).exit_code == 2


def test_a_single_curve_is_a_single_file(harness: Harness, fake: FakeGrading) -> None:
    line = Series(label="L1", points=((10, 0.5), (5, 0.25)))
    curves = (Curve(name="pruning", x="parameters", y="accuracy", series=(line,)),)
    fake.outcomes["alice"] = result("alice", 0.9, curves=curves)
    assert harness("grade", HW, "class").exit_code == 0
    printed = harness("report", HW, "alice", "--format", "svg").stdout
    assert printed.startswith("<svg")
    run = harness("report", HW, "alice", "--format", "svg", "--out", "new/c.svg")
    assert "wrote new/c.svg" in run.stderr
    assert Path("new/c.svg").read_text(encoding="utf-8") == printed
    assert harness("report", HW, "alice", "--format", "svg", "--out", "pictures").exit_code == 0
    assert [each.name for each in Path("pictures").iterdir()] == ["pruning.svg"]
    Path("taken").write_text("a file", encoding="utf-8")
    assert harness("report", HW, "alice", "--format", "svg", "--out", "taken").exit_code == 2


def test_a_board_of_hundreds_is_one_line_each(graded: Harness, fake: FakeGrading) -> None:
    for number in range(400):
        Path(f"many/s{number:03d}").mkdir(parents=True)
        fake.outcomes[f"s{number:03d}"] = result(
            f"s{number:03d}", 0.5 + number / 1000, checks=(), nickname=f"王 {number}\x1b[2J | <b>"
        )
    assert graded("grade", HW, "many").exit_code == 0
    lines = graded("leaderboard", HW).stdout.splitlines()
    # A title, a header, one line for each of 402 and the baseline, a legend, and the one that has no rank.
    assert next(line for line in lines if line.startswith("402")).split()[1:3] == ["王", "0"]
    assert sum(line[:1].isdigit() for line in lines) == 402
    assert not any("\x1b" in line for line in lines)
    assert next(line for line in lines if "— baseline —" in line)


@pytest.mark.parametrize("size", [0, 400])
def test_the_table_marks_unverified_networks_and_tells_the_instructor_why(
    harness: Harness, fake: FakeGrading, size: int
) -> None:
    for number in range(size):
        Path(f"class/s{number:03d}").mkdir()
    fake.outcomes["alice"] = result("alice", 0.99, checks=(), network=VERIFIED)
    fake.outcomes["bob"] = result("bob", 0.98, checks=(), network=unverified("it decides by values"))
    assert harness("grade", HW, "class").exit_code == 0
    lines = harness("leaderboard", HW).stdout.splitlines()
    alice, bob = (next(line for line in lines if line.startswith(start)) for start in ("1 ", "2 "))
    assert ["○" in alice, "○" in bob] == [False, True]
    assert "○ its code ran on every image: not verified" in lines
    assert not any("decides by values" in line for line in lines)
    instructor = harness("leaderboard", HW, "--ids").stdout
    assert "bob           it decides by values" in instructor.partition("not verified  reason")[2]


def test_a_store_from_before_networks_were_verified_is_shown_as_ever(graded: Harness) -> None:
    with closing(sqlite3.connect("harness.db")) as database, database:
        for number, text in database.execute("SELECT number, result FROM harness_attempts").fetchall():
            document = json.loads(text)
            del document["network"]
            database.execute("UPDATE harness_attempts SET result = ? WHERE number = ?", (json.dumps(document), number))
    for name in ("table", "markdown", "csv", "json", "html"):
        run = graded("leaderboard", HW, "--format", name, "--ids", "--out", f"board-{name}/")
        assert run.exit_code == 0, run.output
    for name in ("terminal", "markdown", "html", "json"):
        run = graded("report", HW, "bob", "--format", name)
        assert run.exit_code == 0, run.output
        assert "○" not in run.stdout
        assert "network:" not in run.stdout
    board = json.loads(graded("leaderboard", HW, "--format", "json").stdout)
    assert [row["verified"] for row in board["standings"]] == [None] * len(board["standings"])
