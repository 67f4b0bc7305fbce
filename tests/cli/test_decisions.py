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
    assert (run.exit_code, run.stderr) == (0, "bob: overridden\n")
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
        (("bob", "--score", "1"), "Missing option '--reason'"),
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
    assert "not a time" in graded("freeze", HW, "--at", "tomorrow").stderr
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
    assert "accuracy_public" in public
    assert "71.00 %" not in public
    assert "accuracy_private" in harness("leaderboard", SPLIT, "--private").stdout
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
    document = json.loads(graded("statistics", HW, "--json").stdout)
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
