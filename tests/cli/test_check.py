"""`harness check`: readable in seconds, honest about what is not known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_fakes import HW, FakeGrading
from click.testing import Result as Run
from result_fakes import VERIFIED, metric, result, unverified

from harness.api import Check
from harness.vocabulary import ExitCode, Status

Harness = Callable[..., Run]
FINE = (Check.passed("parameter_limit", "95,386 of at most 100,000 parameters"),)


def test_everything_passed(harness: Harness, fake: FakeGrading) -> None:
    fake.outcomes["alice"] = result("alice", checks=FINE)
    run = harness("check", HW, "class/alice")
    assert run.exit_code == 0, run.output
    assert "✓ parameter_limit 95,386 of at most 100,000 parameters" in run.stdout
    assert (
        "Predicted score  45 of 100 so far; 30 by rank, 25 by hand to come (the same images are graded)" in run.stdout
    )
    assert "everything passes: hand it in" in run.stdout
    assert fake.calls[0]["audience"] == "student"


@pytest.mark.parametrize(
    "check", [Check.failed("kd_loss", "wrong", "use T²"), Check.could_not_check("kd_loss", "no file", "use T²")]
)
def test_what_did_not_pass_exits_1_with_its_hint(harness: Harness, fake: FakeGrading, check: Check) -> None:
    fake.outcomes["alice"] = result("alice", checks=(*FINE, check))
    run = harness("check", HW, "class/alice")
    assert run.exit_code == 1
    assert "→ use T²" in run.stdout
    assert "Next  see to kd_loss, then check again" in run.stdout


def test_a_submission_that_cannot_be_graded_exits_1(harness: Harness, fake: FakeGrading) -> None:
    fake.outcomes["alice"] = result(
        "alice", status="rejected", reason="no weights file", hint="add model.pt", checks=(), metrics={}
    )
    run = harness("check", HW, "class/alice")
    assert run.exit_code == 1
    assert "cannot be used as handed in: no weights file" in run.stdout
    assert "add model.pt" in run.stdout
    assert "Predicted" not in run.stdout


def test_only_json_on_stdout(harness: Harness) -> None:
    run = harness("check", HW, "class/alice", "--json", "-")
    assert json.loads(run.stdout)["results"][0]["submission"] == "alice"
    assert "parameter_limit" in run.stderr


def test_the_prediction_on_a_split_has_its_uncertainty(harness: Harness, fake: FakeGrading) -> None:
    fake.outcomes["alice"] = result(
        "alice", checks=FINE, max_score=4, metrics={"accuracy_public": metric(0.69, low=0.68, high=0.70)}
    )
    run = harness("check", "ntu-ml2023-hw13", "class/alice", "--data", "test=class")
    assert "6 by hand to come (95 %: between 1.5 and 2" in run.stdout


def test_without_a_sandbox_it_says_so(harness: Harness, fake: FakeGrading) -> None:
    fake.sandbox_works = False
    run = harness("check", HW, "class/alice")
    assert "Without a sandbox" in run.stdout
    assert harness("check", HW, "class/alice", "--sandbox", "bwrap").exit_code == 3


def test_a_verified_network_is_a_line_and_an_unverified_one_says_why_and_what_to_do(
    harness: Harness, fake: FakeGrading
) -> None:
    fake.outcomes["alice"] = result("alice", checks=FINE, network=VERIFIED)
    fake.outcomes["bob"] = result("bob", checks=FINE, network=unverified("it decides by values"))
    run = harness("check", HW, "class/alice")
    assert "network: verified, 17 operators" in run.stdout
    assert "○" not in run.stdout
    run = harness("check", HW, "class/bob")
    assert run.exit_code == 0
    assert "○ its code ran on every image: not verified (it decides by values)" in run.stdout
    assert "Next  everything passes: hand it in" in run.stdout
    assert "write forward with plain tensor operators" in run.stdout


def test_a_good_hand_in_fits_one_screen_without_evidence_and_repeated_counts(
    harness: Harness, fake: FakeGrading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    counts = {name: metric(95_386, unit="parameters") for name in ("parameters", "parameters_stored")}
    counts["parameters_nonzero"] = metric(90_000, unit="parameters")
    long = Check.passed("kd_loss", "agrees " * 40)
    evidence = Check.passed("integrity_verified", "a graph")
    fake.outcomes["alice"] = result("alice", checks=(*FINE, long, evidence), metrics=counts, printed="I was here\n")
    run = harness("check", HW, "class/alice")
    assert "integrity_verified" not in run.stdout
    assert "parameters (stored)" not in run.stdout
    assert "parameters (not zero) 90,000" in run.stdout
    assert "printed: I was here" in run.stdout
    assert len(run.stdout.splitlines()) < 24
    assert max(map(len, run.stdout.splitlines())) <= 80


def test_a_long_failure_leaves_room_for_the_prompt_and_units_are_said_once(
    harness: Harness, fake: FakeGrading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    failed = Check.failed("kd_loss", "wrong " * 50, "right " * 45)
    sizes = {"stored_bytes": metric(1_234, unit="bytes"), "zstd_bytes": metric(1_000, unit="bytes")}
    fake.outcomes["alice"] = result("alice", checks=(*FINE, failed), metrics=sizes, curves=())
    lines = harness("check", HW, "class/alice").stdout.splitlines()
    assert len(lines) <= 20
    # From the second line on, the failure has 78 of the 80 columns.
    assert lines.count("  " + "wrong " * 13) == 3
    assert "also: stored bytes 1,234, compressed bytes 1,000" in lines


def test_what_was_printed_stays_hidden_where_images_are_private(harness: Harness, fake: FakeGrading) -> None:
    fake.outcomes["alice"] = result("alice", checks=FINE, printed="an image\n")
    run = harness("check", "ntu-ml2023-hw13", "class/alice", "--data", "test=class", "--html", "page.html")
    assert "an image" not in run.stdout
    assert "an image" not in Path("page.html").read_text(encoding="utf-8")


def test_the_page_is_the_students_own(harness: Harness, fake: FakeGrading) -> None:
    fake.outcomes["alice"] = result("alice", checks=FINE, printed="I was here\n")
    assert harness("check", HW, "class/alice", "-q", "--html", "page.html").output == ""
    page = Path("page.html").read_text(encoding="utf-8")
    assert "I was here" in page
    assert "for the instructor" not in page.lower()
    assert "The instructor's version" not in page
    assert page.count("30 by rank, 25 by hand to come") == 1
    assert harness("check", HW, "class/alice", "--open").exit_code == 2


def test_watching_checks_again_once_files_rest(
    harness: Harness, fake: FakeGrading, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.outcomes["alice"] = result("alice", checks=FINE)
    source, looks = Path("class/alice/model.py"), []

    def meanwhile(_: float) -> None:
        """What happens between two looks: nothing, then a file is written in two parts, then nothing, then Ctrl-C."""
        looks.append(len(fake.graded))
        match len(looks):
            case 2 | 3:
                source.write_text("x = 1\n" * len(looks), encoding="utf-8")
                fake.outcomes["alice"] = result("alice", checks=(Check.failed("kd_loss", "wrong", "use T²"),))
            case 6:
                raise KeyboardInterrupt

    monkeypatch.setattr("harness.cli.checking.time.sleep", meanwhile)
    run = harness("check", HW, "class/alice", "--watch")
    assert run.exit_code == ExitCode.INTERRUPTED
    assert looks == [1, 1, 1, 1, 2, 2]  # not while the file was written, and once afterwards
    assert run.stdout.index("everything passes") < run.stdout.index("see to kd_loss")


@pytest.mark.parametrize("status", ["rejected", "crashed"])
def test_a_refusal_names_what_says_what_is_wanted(harness: Harness, fake: FakeGrading, status: Status) -> None:
    fake.outcomes["alice"] = result("alice", status=status, reason="no StudentNet", checks=(), metrics={})
    assert f"Next  'harness show {HW}' says what is wanted" in harness("check", HW, "class/alice").stdout
    assert "harness show ASSIGNMENT" in harness("check", "--help").stdout.replace("\n  ", " ")
