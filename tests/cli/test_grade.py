"""`harness grade`: everything kept, nothing twice, exit codes that mean one thing."""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from cli_fakes import HW, FakeGrading
from click.testing import Result as Run
from result_fakes import result

from harness.store.store import Store
from harness.terminal.progress import GradeState, duration
from harness.values.results import Report

Harness = Callable[..., Run]


def test_a_class_is_graded_kept_and_shown(harness: Harness, fake: FakeGrading) -> None:
    run = harness("grade", HW, "class", "--jobs", 3)
    assert run.exit_code == 0, run.output
    assert "alice" in run.stdout
    assert "[3/3] carol: graded, 3 / 5" in run.stderr
    assert fake.calls[0]["jobs"] == 3
    assert Path("harness.db").is_file()


def test_a_student_s_failure_is_no_failure_of_grade(harness: Harness, fake: FakeGrading) -> None:
    fake.outcomes["bob"] = result("bob", status="crashed", reason="NameError: name 'x' is not defined")
    run = harness("grade", HW, "class")
    assert run.exit_code == 0
    assert "NameError" in run.stdout


def test_our_own_failure_exits_1(harness: Harness, fake: FakeGrading) -> None:
    fake.outcomes["bob"] = result("bob", status="harness_error", reason="bug")
    run = harness("grade", HW, "class")
    assert run.exit_code == 1
    assert len(fake.graded) == 3


def test_our_own_failures_are_listed(harness: Harness, fake: FakeGrading) -> None:
    reason = "the grader's machine failed: No space left on device"
    fake.outcomes["bob"] = result("bob", status="harness_error", reason=reason)
    run = harness("grade", HW, "class")
    assert f"1 not graded, through no fault of the student:\n  bob: {reason}" in run.stderr


def test_what_belongs_to_nobody_is_listed_and_the_rest_graded(harness: Harness, fake: FakeGrading) -> None:
    fake.left_out.append("2 submissions have the id 'x': a/x and b/\x1b[2Jx; rename one")
    run = harness("grade", HW, "class")
    assert run.exit_code == 1
    assert "1 not graded:\n  2 submissions have the id 'x': a/x and b/x; rename one" in run.stderr
    assert fake.graded == ["alice", "bob", "carol"]


def test_a_result_that_cannot_be_kept_stops_nobody(harness: Harness, fake: FakeGrading) -> None:
    fake.outcomes["alice"] = result("alice", status="crashed", reason="ValueError: \ud800")
    run = harness("grade", HW, "class", "--json", "-")
    assert run.exit_code == 1
    assert fake.graded == ["alice", "bob", "carol"]
    statuses = {each.submission: each.status for each in Report.model_validate_json(run.stdout).results}
    assert statuses == {"alice": "harness_error", "bob": "graded", "carol": "graded"}
    for command in (["leaderboard", HW], ["report", HW, "alice"], ["history", HW, "alice"], ["statistics", HW]):
        assert harness(*command).exit_code == 0


def test_only_json_on_stdout(harness: Harness) -> None:
    run = harness("grade", HW, "class", "--json", "-")
    report = Report.model_validate_json(run.stdout)
    assert [each.submission for each in report.results] == ["alice", "bob", "carol"]
    assert report.assignment.id == HW
    assert "alice" in run.stderr


def test_json_to_a_file(harness: Harness) -> None:
    run = harness("grade", HW, "class", "--json", "out.json")
    assert run.exit_code == 0
    assert len(json.loads(Path("out.json").read_text("utf-8"))["results"]) == 3


def test_the_second_run_grades_only_what_changed(harness: Harness, fake: FakeGrading) -> None:
    fake.outcomes["carol"] = result("carol", status="harness_error", reason="bug")
    harness("grade", HW, "class")
    fake.graded.clear()
    fake.digests["alice"] = "sha256:changed"
    del fake.outcomes["carol"]
    run = harness("grade", HW, "class", "--json", "-")
    assert fake.graded == ["alice", "carol"]
    assert run.exit_code == 0
    assert "1 unchanged" in run.stderr
    assert len(json.loads(run.stdout)["results"]) == 3
    fake.graded.clear()
    harness("grade", HW, "class", "--fresh")
    assert len(fake.graded) == 3


def test_another_sandbox_is_graded_again(harness: Harness, fake: FakeGrading) -> None:
    harness("grade", HW, "class")
    fake.graded.clear()
    harness("grade", HW, "class", "--sandbox", "none")
    assert len(fake.graded) == 3


def test_changed_images_are_graded_again(harness: Harness, fake: FakeGrading) -> None:
    harness("grade", HW, "class")
    fake.graded.clear()
    fake.images_digest = "sha256:someone replaced a file"
    run = harness("grade", HW, "class", "--json", "-")
    assert len(fake.graded) == 3
    assert json.loads(run.stdout)["assignment"]["data"]["digest"] == "sha256:someone replaced a file"


def test_ctrl_c_keeps_what_is_finished(harness: Harness, fake: FakeGrading) -> None:
    fake.outcomes["bob"] = KeyboardInterrupt()
    run = harness("grade", HW, "class")
    assert run.exit_code == 130
    assert "1 of 3 are graded and kept in sqlite:///harness.db" in run.stderr
    assert fake.closed
    with closing(Store.open(create=False)) as store:
        assert store.submissions(HW) == ("alice",)
    del fake.outcomes["bob"]
    fake.graded.clear()
    assert harness("grade", HW, "class").exit_code == 0
    assert fake.graded == ["bob", "carol"]


def test_results_before_an_accident_are_kept(harness: Harness, fake: FakeGrading) -> None:
    fake.outcomes["bob"] = RuntimeError("a bug of ours")
    run = harness("grade", HW, "class")
    assert run.exit_code == 70
    assert "please report it" in run.stderr
    assert "Traceback" in run.stderr
    with closing(Store.open(create=False)) as store:
        assert store.submissions(HW) == ("alice",)


def test_no_sandbox_is_exit_3_and_grades_nothing(harness: Harness, fake: FakeGrading) -> None:
    fake.sandbox_works = False
    run = harness("grade", HW, "class")
    assert (run.exit_code, fake.graded) == (3, [])
    assert "apt install bubblewrap" in run.stderr


def test_an_empty_folder_is_a_usage_error(harness: Harness) -> None:
    Path("empty").mkdir()
    run = harness("grade", HW, "empty")
    assert run.exit_code == 2
    assert "no submissions" in run.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-assignment", "class"],
        [HW, "class", "--jobs", "0"],
        [HW, "class", "--sandbox", "docker"],
        [HW, "class", "--data", "test"],
        [HW, "class", "--data", "tset=class"],
        [HW, "class", "--store", "x.db"],
        [HW],
    ],
)
def test_usage_errors_exit_2(harness: Harness, arguments: list[str]) -> None:
    assert harness("grade", *arguments).exit_code == 2


def test_a_hostile_name_moves_no_cursor(harness: Harness, fake: FakeGrading) -> None:
    fake.outcomes["bob"] = result(
        "bob", status="crashed", reason="\x1b[2J[red]boom[/red]\r\nx", nickname="\x1b]0;owned\x07[bold]b"
    )
    run = harness("grade", HW, "class")
    assert "\x1b" not in run.output
    assert "[red]boom[/red]" in run.stdout


def test_time_left_follows_the_pace() -> None:
    clock = iter([0.0, 10.0, 20.0, 20.0])
    state = GradeState(5, now=lambda: next(clock))
    assert state.seconds_left() is None
    state.running = {"a": ("accuracy", 0.0), "b": ("accuracy", 0.0)}
    state.advance("a", "")
    state.advance("a", "")
    state.advance("b", "")
    assert state.done == 2
    assert state.seconds_left() == 15.0
    assert [duration(each) for each in (8, 125, 4800)] == ["8 s", "2 min 05 s", "1 h 20 min"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_wish_to_end_keeps_what_is_finished(harness: Harness, fake: FakeGrading, number: signal.Signals) -> None:
    usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    ignored = signal.signal(number, usual)  # as by nohup, which is a wish to go on
    before = signal.getsignal(number)

    def kill(*_: object) -> str:
        signal.raise_signal(number)
        return "sha256:x"

    # The digest is asked for twice: as the signature of the files, and of what was read.
    asked = Counter[str]()
    asked_again = lambda name: asked.update([name]) or asked[name] > 1  # noqa: E731
    fake.digests = type(
        "Killing", (dict,), {"get": lambda _, name, __: kill() if asked_again(name) and name == "bob" else name}
    )()
    run = harness("grade", HW, "class")
    assert run.exit_code == 130
    assert "1 of 3 are graded and kept" in run.stderr
    assert signal.getsignal(number) == before
    signal.signal(number, ignored)


def test_an_executor_is_named_and_its_needs_are_said(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    run = harness("grade", HW, "class", "--executor", "dsk")
    assert (run.exit_code, "no such executor; did you mean 'dask'? (known: dask, local)" in run.output) == (2, True)
    run = harness("grade", HW, "class", "--scheduler", "tcp://10.0.0.1:8786")
    assert (run.exit_code, "--scheduler tcp://10.0.0.1:8786 is for --executor dask" in run.output) == (2, True)
    monkeypatch.setitem(sys.modules, "distributed", None)
    run = harness("grade", HW, "class", "--executor", "dask")
    assert (run.exit_code, "pip install 'compress-harness[dask]'" in run.output) == (2, True)


def test_a_quiet_run_says_what_was_not_graded_and_nothing_else(harness: Harness, fake: FakeGrading) -> None:
    assert harness("grade", HW, "class", "-q").output == ""
    fake.outcomes["bob"] = result("bob", status="harness_error", reason="the disk is full", checks=(), metrics={})
    run = harness("grade", HW, "class", "-q", "--fresh", "--json", "-")
    assert run.exit_code == 1
    assert len(json.loads(run.stdout)["results"]) == 3
    assert "bob: the disk is full" in run.stderr
    assert "alice" not in run.stderr
