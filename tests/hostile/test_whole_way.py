"""One class, many hostile hand-ins, the whole way: graded, stored, read back, and shown by every command.

Each hand-in tries to forge a grade, to leak something, or to end the command for everyone. What became of the honest
ones must not differ from a class of their own.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from click.testing import Result as Run
from hand_ins import sandbox_called
from whole_way_class import SETTINGS, STUDENT, write_class

from harness.cli import main

pytestmark = pytest.mark.timeout(300)
GRADED = [
    *("aaa_honest", "zzz_honest", "surrogate_loss", "no_loss", "unverified", "tells", "named"),
    *("looks_up", "looks_up_as_graph", "counters", "twins", "statistics", "decoy", "reader", "again"),
]
Grades = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sandbox_called("auto")
    top: Path = tmp_path_factory.mktemp("whole")
    write_class(top)
    return top


@pytest.fixture(scope="module")
def harness(folder: Path) -> Callable[..., Run]:
    def run(command: str, *arguments: str, store: str = "class") -> Run:
        url = f"sqlite:///{folder / store}.db"
        return CliRunner().invoke(main, [command, str(folder / "small.toml"), *arguments, "--store", url])

    return run


@pytest.fixture(scope="module")
def graded(folder: Path, harness: Callable[..., Run]) -> Grades:
    """What became of everyone."""
    alone = harness("grade", str(folder / "alone"), "--json", str(folder / "alone.json"), store="alone")
    assert alone.exit_code == 0, alone.output
    run = harness("grade", str(folder / "class"), "--json", str(folder / "class.json"))
    assert run.exit_code == 1, run.output  # for the pair alone
    assert "2 submissions have the id 'pair'" in run.stderr
    assert re.search(r"^\d submissions need a decision", run.stderr, re.MULTILINE), run.stderr
    return {each["submission"]: each for each in json.loads((folder / "class.json").read_text())["results"]}


def test_everyone_has_an_outcome_and_none_is_our_failure(graded: Grades) -> None:
    found = {name: each["status"] for name, each in graded.items()}
    assert found == {
        **dict.fromkeys(["surrogate", "pixels", "hidden"], "crashed"),
        **dict.fromkeys([*SETTINGS, "links"], "rejected"),
        **dict.fromkeys(GRADED, "graded"),
    }


def test_honest_ones_are_graded_as_in_a_class_of_their_own(folder: Path, graded: Grades) -> None:
    for alone in json.loads((folder / "alone.json").read_text())["results"]:
        beside = graded[alone["submission"]]
        own = dict.fromkeys(("seconds", "submitted_at", "measured_at"))
        assert {**beside, **own, "checks": _told(beside)} == {**alone, **own, "checks": _told(alone)}
        assert alone["metrics"]["accuracy"]["value"] == 7 / 8


def _told(result: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    """Its checks; the noise on images is another in every store, and so are the numbers in the reason of that one."""
    return [
        (check["name"], check["verdict"], None if check["name"] == "integrity_image_noise" else check["reason"])
        for check in result["checks"]
    ]


def test_nothing_forged_counts(graded: Grades) -> None:
    checks = {name: {each["name"]: each for each in found["checks"]} for name, found in graded.items()}
    for name in ("decoy", "reader"):
        assert checks[name]["weights_size"]["verdict"] == "could_not_check", checks[name]
    assert "stored_bytes" not in graded["decoy"]["metrics"]
    for name in ("counters", "twins"):
        assert graded[name]["metrics"]["accuracy"]["value"] > 0.8  # it works, and is counted
        assert graded[name]["metrics"]["parameters"]["value"] >= 772
    for name in ("looks_up", "looks_up_as_graph"):
        assert graded[name]["metrics"]["accuracy"]["value"] == 1
        failed = {each for each, check in checks[name].items() if check["verdict"] == "failed"}
        assert failed == {"integrity_image_noise"}, checks[name]
    assert checks["statistics"]["parameter_limit"]["verdict"] == "could_not_check", checks["statistics"]
    assert checks["again"]["integrity_sample"]["verdict"] == "failed", checks["again"]
    assert graded["hidden"]["hint"].startswith("'shown.png' was handed in, but code sees")
    assert {check["verdict"] for check in checks["unverified"].values()} == {"passed"}, checks["unverified"]
    assert graded["no_loss"]["score"] == 0
    assert [line["pending"] for line in graded["no_loss"]["points"]] == [40]


@pytest.mark.parametrize("audience", ["instructor", "student"])
def test_every_report_can_be_written_and_students_read_no_pixels(
    harness: Callable[..., Run], graded: Grades, audience: str
) -> None:
    for number, name in enumerate(graded):
        for kind in ("json", ("terminal", "markdown", "html")[number % 3]):
            run = harness("report", name, "--format", kind, "--audience", audience)
            assert run.exit_code == 0, (name, kind, run.output)
            run.stdout.encode()
            assert ("PIXELS" in run.stdout and audience == "student") is False, (name, kind)
    for name in ("pixels", "tells"):
        assert "PIXELS" in harness("report", name, "--audience", "instructor").stdout


def test_every_command_of_the_class_works(harness: Callable[..., Run], graded: Grades) -> None:
    for command in ("leaderboard", "statistics"):
        assert harness(command).exit_code == 0
    for kind in ("table", "markdown", "csv", "json"):
        assert harness("leaderboard", "--format", kind).exit_code == 0
    for name in graded:
        assert harness("history", name).exit_code == 0
    rows = list(csv.DictReader(io.StringIO(harness("export", "--to", "csv").stdout)))
    assert {row["submission"] for row in rows} == graded.keys()
    assert {row["submission"] for row in rows if row["pending"]} == {
        *("no_loss", "surrogate_loss", "reader", "statistics"),
    }


def test_the_class_s_site_shows_verdicts_and_no_words_of_a_student(
    harness: Callable[..., Run], graded: Grades, tmp_path: Path
) -> None:
    run = harness("leaderboard", "--anonymous", "--format", "html", "--out", str(tmp_path))
    assert run.exit_code == 0, run.output
    pages = {path.name: path.read_text() for path in tmp_path.rglob("*.html")}
    assert len(pages) > len(graded) // 2
    for name, text in pages.items():
        for word in (STUDENT, "Mallory", "PIXELS", "loss_fn_kd", ".py", "ValueError", "\ufffd"):
            assert word not in re.sub(r"<style.*?</style>|<script.*?</script>", "", text, flags=re.DOTALL), (name, word)


def test_a_file_s_name_speaks_for_nobody_else(folder: Path, harness: Callable[..., Run]) -> None:
    run = harness("grade", str(folder / "download"), "--json", str(folder / "download.json"), store="download")
    results = json.loads((folder / "download.json").read_text())["results"]
    assert {each["submission"]: each["status"] for each in results} == {"111": "graded", "222": "graded"}
    assert "speaks for 111 and for 222" in run.stderr
    assert "speaks for 111 and for 333" in run.stderr
    assert {each["metrics"]["accuracy"]["value"] for each in results} == {7 / 8}
