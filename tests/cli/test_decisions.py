"""`override`, `freeze`, `publish`, `history` and `statistics`: what an instructor decides and looks up."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_fakes import HW, FakeGrading
from click.testing import Result as Run
from result_fakes import metric, result

from harness.api import Check
from harness.assignment.loading import load
from harness.plugins import Plugins
from harness.points import rubric
from harness.values.results import Result

Harness = Callable[..., Run]
SPLIT = "ntu-ml2023-hw13"


@pytest.fixture
def graded(harness: Harness, fake: FakeGrading) -> Harness:
    fake.outcomes["alice"] = result("alice", 0.9, checks=(), nickname="Pruner")
    fake.outcomes["bob"] = result("bob", 0.95, checks=())
    fake.outcomes["carol"] = result("carol", status="crashed", reason="ValueError: label 3\x1b[2J", checks=())
    assert harness("grade", HW, "class").exit_code == 0
    return harness


def board(harness: Harness, *options: str) -> dict[str, dict[str, object]]:
    run = harness("leaderboard", HW, "--format", "json", *options)
    assert run.exit_code == 0, run.output
    document = json.loads(run.stdout)
    return {row["submission"] or row["name"]: row for row in document["standings"] + document["unranked"]}


def test_an_override_is_made_shown_and_undone(graded: Harness) -> None:
    before = board(graded, "--ids")["bob"]["score"]
    run = graded("override", HW, "bob", "--score", "12.5", "--reason", "his\x1b[31m demo", "--author", "Dr. Li")
    assert (run.exit_code, run.stderr) == (0, "bob: overridden: 33 / 100, graded → 12.5 / 100, graded\n")
    row = board(graded, "--ids")["bob"]
    assert row["score"] == 12.5
    assert row["override"]["old_score"] == before
    assert "override" not in graded("leaderboard", HW, "--format", "csv").stdout
    graded("override", HW, "bob", "--undo", "--reason", "wrong student", "--author", "Dr. Li")
    assert board(graded, "--ids")["bob"]["score"] == before
    told = graded("history", HW, "bob").stdout
    assert "Dr. Li: score 12.5: his demo" in told
    assert "Dr. Li: overrides taken back: wrong student" in told
    assert "\x1b" not in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("bbo", "--score", "1", "--reason", "x"), "did you mean 'bob'?"),
        (("bob", "--reason", "x"), "either it, or --score, --status or --check"),
        (("bob", "--undo", "--score", "1", "--reason", "x"), "either it, or --score, --status or --check"),
        (("bob", "--score", "nan", "--reason", "x"), "not a number of points"),
        (("bob", "--score", "1", "--reason", "  "), "say why"),
        (("bob", "--score", "1"), "Missing option '--why'"),
        (("bob", "--status", "great", "--reason", "x"), "is not one of"),
        (("bob", "--check", "kd_los=passed", "--reason", "x"), "did you mean 'kd_loss'?"),
        (("bob", "--check", "kd_loss=fine", "--reason", "x"), "write kd_loss=passed or kd_loss=failed"),
    ],
)
def test_an_override_that_says_too_little_is_refused(graded: Harness, arguments: tuple[str, ...], message: str) -> None:
    run = graded("override", HW, *arguments)
    assert run.exit_code == 2
    assert message in run.stderr


def test_a_frozen_board_says_so_and_stays_as_it_is(graded: Harness, fake: FakeGrading) -> None:
    assert "frozen at" in graded("freeze", HW).stderr
    fake.outcomes["alice"], fake.digests["alice"] = result("alice", 0.99, checks=()), "sha256:better"
    live = graded("grade", HW, "class").stdout
    assert "99.00 %" in live
    frozen = graded("leaderboard", HW).stdout
    assert "Frozen: later attempts than 20" in frozen
    assert "99.00 %" not in frozen
    assert "Frozen" in graded("leaderboard", HW, "--format", "markdown").stdout
    graded("freeze", HW, "--undo")
    assert "99.00 %" in graded("leaderboard", HW).stdout


def test_freezing_needs_a_time_with_a_zone(graded: Harness) -> None:
    assert "needs a time zone" in graded("freeze", HW, "--at", "2026-01-01T00:00").stderr
    assert "needs a date and time" in graded("freeze", HW, "--at", "tomorrow").stderr
    assert graded("freeze", HW, "--at", "2026-01-01T00:00+08:00", "--undo").exit_code == 2
    assert graded("freeze", HW, "--at", "2026-01-01T00:00+08:00").exit_code == 0
    assert "holds no results" not in graded("leaderboard", HW).stderr
    assert "Nobody is ranked yet" in graded("leaderboard", HW).stdout


def test_publishing_shows_private_ranks(harness: Harness, fake: FakeGrading) -> None:
    for name, public, private in (("alice", 0.9, 0.61), ("bob", 0.8, 0.71), ("carol", 0.7, 0.81)):
        figures = {"accuracy": metric(0.75), "accuracy_public": metric(public), "accuracy_private": metric(private)}
        fake.outcomes[name] = result(name, checks=(), metrics={**figures, "parameters": metric(9, unit="parameters")})
    assert harness("grade", SPLIT, "class").exit_code == 0
    public = harness("leaderboard", SPLIT).stdout
    assert "accuracy (public)" in public
    assert "71.00 %" not in public
    assert "accuracy (private)" in harness("leaderboard", SPLIT, "--private").stdout
    assert "published" in harness("publish", SPLIT).stderr
    assert "81.00 %" in harness("leaderboard", SPLIT).stdout
    harness("publish", SPLIT, "--undo")
    assert harness("leaderboard", SPLIT).stdout == public


def test_nothing_is_published_where_nothing_is_private(graded: Harness) -> None:
    run = graded("publish", HW)
    assert run.exit_code == 2
    assert "nothing private to publish" in run.stderr
    assert graded("leaderboard", HW, "--private").exit_code == 2


def test_the_roster_lists_who_handed_in_nothing(graded: Harness) -> None:
    Path("roster.csv").write_text("id,name\nalice,Alice\nzoe,Zoë \x1b[2J\n", encoding="utf-8")
    told = graded("leaderboard", HW, "--ids", "--roster", "roster.csv").stdout
    assert "handed in nothing" in told
    assert "Zoë" in told
    assert "\x1b" not in told
    assert "Zoë" not in graded("leaderboard", HW, "--roster", "roster.csv").stdout


def test_history_lists_attempts(graded: Harness, fake: FakeGrading) -> None:
    fake.digests["alice"] = "sha256:0123456789abcdef"
    graded("grade", HW, "class")
    lines = graded("history", HW, "alice").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["attempt", "1", "2"]
    assert "0123456789" in lines[2]
    assert "did you mean 'alice'?" in graded("history", HW, "alise").stderr


def test_statistics_for_people_and_programs(graded: Harness) -> None:
    told = graded("statistics", HW).stdout
    assert "3 submissions: 2 graded, 1 crashed; 2 ranked, 0 late" in told
    document = json.loads(graded("statistics", HW, "--json", "-").stdout)
    assert document["statuses"] == [["graded", 2], ["crashed", 1]]
    assert sum(each["count"] for each in document["histogram"]) == 3


def test_an_undecided_gate_withholds_points_everywhere_until_a_person_decides(
    harness: Harness, fake: FakeGrading, tmp_path: Path
) -> None:
    def outcome(verdict: str) -> Result:
        checks = (Check(name="parameter_limit", verdict=verdict, reason="loss_fn_kd takes (path, epochs)"),)  # type: ignore[arg-type]
        lines = rubric.points(rules, {each.name: each for each in checks}, {"accuracy": metric(0.9)})
        return result("bob", 0.9, checks=checks, points=lines, score=sum(each.points for each in lines))

    rules = load(HW, Plugins.installed()).rules
    fake.outcomes["bob"] = outcome("could_not_check")
    run = harness("grade", HW, "class")
    assert "\n1 submission needs a decision; points are pending until then (harness override" in run.stderr
    assert "  bob: parameter_limit: loss_fn_kd takes (path, epochs)" in run.stderr
    assert run.exit_code == 0
    row = board(harness, "--ids")["bob"]
    # 45 for the baseline and what its rank is worth.
    assert row["score"] == 0
    assert [line["pending"] for line in row["points"] if line["pending"]] == [45, 30]  # type: ignore[attr-defined]
    for command in (
        ("leaderboard", HW),
        ("leaderboard", HW, "--format", "markdown"),
        ("leaderboard", HW, "--format", "csv"),
    ):
        assert "pending" in harness(*command).stdout, command
    for kind in ("terminal", "markdown", "html"):
        for audience in ("student", "instructor"):
            text = harness("report", HW, "bob", "--format", kind, "--audience", audience).stdout
            assert "75 pending" in text
            assert "parameter_limit could not be checked, a person has to decide" in " ".join(
                text.replace("\\_", "_").split()
            )
    points = harness("export", HW, "--to", "csv").stdout
    (line,) = [each for each in csv.DictReader(io.StringIO(points)) if each["submission"] == "bob"]
    assert (line["score"], line["pending"]) == ("0.0", "75.0")
    for verdict, score in (("passed", 75), ("failed", 0)):
        harness("override", HW, "bob", "--check", f"parameter_limit={verdict}", "--reason", "read it")
        row = board(harness, "--ids")["bob"]
        assert row["score"] == score
        assert not any(line["pending"] for line in row["points"])  # type: ignore[attr-defined]
        assert "needs a decision" not in harness("grade", HW, "class").stderr
    assert "failed parameter_limit" in harness("leaderboard", HW).stdout
    harness("override", HW, "bob", "--score", "33", "--reason", "half of it")
    assert "pending" not in harness("report", HW, "bob").stdout
    assert board(harness, "--ids")["bob"]["score"] == 33


ROSTER = "id,name,email,team\nalice,Alice,a@x.org,\nbob,Bob,b@x.org,\ncarol,Carol,c@x.org,\ndan,Dan,d@x.org,\n"


@pytest.fixture
def roster(graded: Harness) -> Path:
    path = Path("roster.csv")
    path.write_text(ROSTER, encoding="utf-8")
    return path


def exported(harness: Harness, *options: object) -> dict[str, dict[str, str]]:
    run = harness("export", HW, "--to", "csv", *options)
    assert run.exit_code == 0, run.stderr
    return {row["id"]: row for row in csv.DictReader(io.StringIO(run.stdout))}


def test_an_excused_person_has_neither_a_score_nor_a_zero_nor_a_rank(graded: Harness, roster: Path) -> None:
    assert graded("excuse", HW, "bob", "--why", "ill", "--author", "Dr. Li").exit_code == 0
    assert graded("excuse", HW, "dan", "--why", "exchange", "--roster", roster).exit_code == 0
    assert board(graded, "--ids").keys() == {"alice", "carol"}
    assert board(graded, "--ids")["alice"]["rank"] == 1
    rows = exported(graded, "--roster", roster)
    assert {who: (row["status"], row["score"]) for who, row in rows.items() if who in {"bob", "dan"}} == {
        "bob": ("excused", ""),
        "dan": ("excused", ""),
    }
    assert "ill" not in graded("leaderboard", HW, "--format", "json").stdout
    assert "Excused: this assignment does not count" in graded("report", HW, "bob").stdout
    assert json.loads(graded("statistics", HW, "--json", "-").stdout)["submissions"] == 2
    assert graded("excuse", HW, "bob", "--undo", "--why", "wrong Bob").exit_code == 0
    assert "bob" in board(graded, "--ids")
    told = graded("history", HW, "bob").stdout
    assert "Dr. Li: excused: ill" in told
    assert "no longer excused: wrong Bob" in told


def test_canvas_is_told_of_excused_people_in_its_own_word(graded: Harness, tmp_path: Path) -> None:
    sheet = (
        "Student,ID,SIS Login ID,Section,nycu-ds2023-hw2 (9)\n    Points Possible,,,,100\nAl,alice,,s,\nBo,bob,,s,50\n"
    )
    (tmp_path / "canvas.csv").write_text(sheet, encoding="utf-8")
    graded("excuse", HW, "bob", "--why", "ill")
    run = graded("export", HW, "--to", "canvas", "--template", "canvas.csv", "--out", "out")
    assert (run.exit_code, "1 of 2 matched" in run.stderr) == (1, True)  # carol has no line
    written = Path("out") / "canvas.csv" if Path("out").is_dir() else Path("out")
    rows = {row["ID"]: row for row in csv.DictReader(written.read_text(encoding="utf-8").splitlines())}
    assert rows["bob"]["nycu-ds2023-hw2 (9)"] == "EX"
    assert rows["alice"]["nycu-ds2023-hw2 (9)"] not in {"", "EX"}


def test_whoever_is_removed_is_nowhere_but_in_the_history(graded: Harness, roster: Path) -> None:
    assert graded("remove", HW, "alice", "--why", "dropped the course").exit_code == 0
    assert board(graded, "--ids").keys() == {"bob", "carol"}
    assert exported(graded, "--roster", roster).keys() == {"bob", "carol", "dan"}
    assert "removed: dropped the course" in graded("history", HW, "alice").stdout
    run = graded("remove", HW, "alice", "--why", "asked for it", "--forget")
    assert "1 attempt is deleted" in run.stderr
    assert graded("report", HW, "alice").exit_code == 2
    assert "asked for it" in graded("history", HW, "alice").stdout
    assert graded("remove", HW, "alice", "--undo", "--forget", "--why", "x").exit_code == 2


def test_more_time_holds_and_must_not_contradict_the_table_of_times(graded: Harness, roster: Path) -> None:
    until = "2030-01-31T23:59:00+08:00"
    run = graded("extend", HW, "alice", "--until", until, "--why", "power cut")
    assert run.exit_code == 0, run.stderr
    assert "extended until 2030-01-31 15:59 UTC" in run.stderr
    Path("times.csv").write_text(f"id,due\nalice,{until}\n", encoding="utf-8")
    assert graded("leaderboard", HW, "--times", "times.csv").exit_code == 0
    Path("times.csv").write_text("id,due\nalice,2030-02-01T12:00:00+08:00\n", encoding="utf-8")
    run = graded("leaderboard", HW, "--times", "times.csv")
    assert run.exit_code == 2
    assert "alice: due twice" in run.stderr
    assert "power cut" in run.stderr
    assert graded("extend", HW, "alice", "--undo", "--why", "misread").exit_code == 0
    assert graded("leaderboard", HW, "--times", "times.csv").exit_code == 0
    assert graded("extend", HW, "dan", "--until", until, "--why", "x").exit_code == 2
    assert graded("extend", HW, "dan", "--until", until, "--why", "x", "--roster", roster).exit_code == 0


def test_a_score_beyond_what_there_is_needs_to_be_meant(graded: Harness) -> None:
    for score in ("-1", "1e6"):
        run = graded("override", HW, "bob", "--score", score, "--why", "x")
        assert run.exit_code == 2
        assert "--beyond allows others" in run.stderr
    assert graded("override", HW, "bob", "--score", "-1", "--why", "x", "--beyond").exit_code == 0
    assert board(graded, "--ids")["bob"]["score"] == -1


def test_a_regrade_request_is_listed_answered_and_told_in_the_report(graded: Harness) -> None:
    assert graded("requests", HW, "Pruner", "--answer", "no").exit_code == 2
    assert graded("requests", HW, "Pruner", "--ask", "=my KD loss is right").exit_code == 0
    rows = list(csv.DictReader(io.StringIO(graded("requests", HW).stdout)))
    assert [(row["id"], row["state"], row["request"]) for row in rows] == [("alice", "open", "'=my KD loss is right")]
    assert "not answered yet" in graded("report", HW, "alice").stdout
    assert graded("requests", HW, "alice", "--answer", "T² is missing", "--author", "Dr. Li").exit_code == 0
    assert "T² is missing" in graded("report", HW, "alice").stdout
    assert "T² is missing" not in graded("report", HW, "bob").stdout
    assert graded("requests", HW, "--open").stdout.count("\n") == 1
    assert "Dr. Li: answered: T² is missing" in graded("history", HW, "alice").stdout


def test_reports_for_all_come_with_an_index_and_a_table_for_a_mail_merge(graded: Harness, roster: Path) -> None:
    run = graded("report", HW, "--all", "--format", "html", "--out", "sent", "--roster", roster)
    assert run.exit_code == 0, run.stderr
    rows = list(csv.DictReader((Path("sent") / "reports.csv").read_text(encoding="utf-8").splitlines()))
    assert {row["name"]: row["email"] for row in rows} == {"Alice": "a@x.org", "Bob": "b@x.org", "Carol": "c@x.org"}
    index = (Path("sent") / "index.html").read_text(encoding="utf-8")
    for row in rows:
        assert f'href="{row["file"]}"' in index
        assert row["submission"] in (Path("sent") / row["file"]).read_text(encoding="utf-8")
    assert "label 3" not in (Path("sent") / "carol.html").read_text(encoding="utf-8")
    assert graded("report", HW, "--all", "--out", "sent").exit_code == 2
    assert graded("report", HW).exit_code == 2


def test_a_report_is_found_by_the_boards_name_and_tells_the_pseudonym(graded: Harness) -> None:
    assert graded("report", HW, "pruner").stdout == graded("report", HW, "alice").stdout
    names = board(graded, "--anonymous", "--ids")
    pseudonym = str(names["alice"]["name"])
    assert f"On the board: {pseudonym}" in graded("report", HW, pseudonym, "--anonymous").stdout


def test_an_id_is_the_same_however_its_accents_are_written(fake: FakeGrading, harness: Harness, tmp_path: Path) -> None:
    (tmp_path / "class" / "jos\u00e9").mkdir()
    harness("grade", HW, "class")
    assert harness("override", HW, "jose\u0301", "--score", "4", "--reason", "seen").exit_code == 0
    assert "seen" in harness("history", HW, "jose\u0301").stdout
