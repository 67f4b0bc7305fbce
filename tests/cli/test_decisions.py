"""`override`, `freeze`, `publish`, `history` and `statistics`: what an instructor decides and looks up."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_fakes import HW, FakeGrading
from click.testing import Result as Run
from result_fakes import metric, result

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
        (("bob", "--reason", "x"), "either it, or --score or --status"),
        (("bob", "--undo", "--score", "1", "--reason", "x"), "either it, or --score or --status"),
        (("bob", "--score", "nan", "--reason", "x"), "not a number of points"),
        (("bob", "--score", "1", "--reason", "  "), "say why"),
        (("bob", "--score", "1"), "Missing option '--reason'"),
        (("bob", "--status", "great", "--reason", "x"), "is not one of"),
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
