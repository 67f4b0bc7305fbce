"""A run keeps each result at once and does what is left of it the next time."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cli_fakes import FakeDataSets, FakeGrading, FakeSandbox, install
from result_fakes import ENVIRONMENT, assignment, result

from harness.grading.events import GradingEvents, Progress
from harness.grading.run import Run
from harness.plugins import Plugins
from harness.store.store import Store
from harness.submission.hand_in import HandIn


def run_of(store: Store, tmp_path: Any) -> Run:
    rules = assignment()
    submissions = [HandIn(name, tmp_path / name) for name in ("alice", "bob", "carol")]
    images: Any = FakeDataSets(rules, "sha256:images")
    sandbox: Any = FakeSandbox("bwrap")
    return Run(rules, Plugins.of(), sandbox, submissions, images, store, ENVIRONMENT, jobs=1)


class Watching(GradingEvents):
    def __init__(self) -> None:
        self.seen: list[Progress] = []

    def on_progress(self, progress: Progress) -> None:
        self.seen.append(progress)


def test_a_run_that_was_stopped_goes_on_where_it_was(fake: FakeGrading, store: Store, tmp_path: Any) -> None:
    first, watching = run_of(store, tmp_path), Watching()
    with closing(first.grade(watching)) as results:
        assert next(results).submission == "alice"
    assert fake.closed
    assert watching.seen[:2] == [Progress("alice", "reading"), Progress("alice", "accuracy")]
    assert [each.result.submission for each in first.attempts()] == ["alice"]
    second = run_of(store, tmp_path)
    assert [each.submission for each in second.grade()] == ["bob", "carol"]
    assert (second.graded, second.unchanged) == ({"bob", "carol"}, {"alice"})
    assert [each.result.submission for each in second.attempts()] == ["alice", "bob", "carol"]


def test_everything_is_graded_again_when_asked(fake: FakeGrading, store: Store, tmp_path: Any) -> None:
    for _ in range(2):
        assert len(list(run_of(store, tmp_path).grade(fresh=True))) == 3
    assert len(fake.graded) == 6


def test_what_went_before_an_accident_is_kept(fake: FakeGrading, store: Store, tmp_path: Any) -> None:
    fake.outcomes = {"bob": KeyboardInterrupt(), "alice": result("alice", 0.5)}
    run = run_of(store, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        list(run.grade())
    (kept,) = run.attempts()
    assert kept.result.metrics["accuracy"].value == 0.5


def test_two_graders_share_a_class(monkeypatch: pytest.MonkeyPatch, store: Store, tmp_path: Any) -> None:
    """Neither does what the other has or does; both end with all of it."""
    fake, together = FakeGrading(), threading.Barrier(2)
    install(monkeypatch, fake)
    runs = [run_of(store, tmp_path) for _ in range(2)]
    found: list[list[str]] = [[], []]

    def grade(number: int) -> None:
        together.wait()
        found[number] = [each.submission for each in runs[number].grade()]

    threads = [threading.Thread(target=grade, args=(number,)) for number in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(found[0] + found[1]) == sorted(fake.graded) == ["alice", "bob", "carol"]
    for run in runs:
        assert [each.result.submission for each in run.attempts()] == ["alice", "bob", "carol"]


def test_what_a_grader_leaves_behind_is_taken_up(fake: FakeGrading, store: Store, tmp_path: Any) -> None:
    run, gone = run_of(store, tmp_path), store.claims(assignment().id)
    assert gone.take("bob")
    timer = threading.Timer(1, gone.release)
    timer.start()
    assert [each.submission for each in run.grade()] == ["alice", "carol", "bob"]
    timer.join()


def test_the_same_files_get_a_new_result_where_the_platform_says_something_else_of_them(
    fake: FakeGrading, store: Store, tmp_path: Any
) -> None:
    def graded(**said: Any) -> list[str]:
        run = replace(run_of(store, tmp_path), submissions=[HandIn("alice", tmp_path / "alice", **said)])
        found = result("alice", submitted_at=said.get("submitted_at"), late_mark=said.get("late"))
        fake.outcomes["alice"] = found.model_copy(
            update={"time_source": found.submitted_at and "platform"},
        )
        return [each.submission for each in run.grade()]

    noon = datetime(2026, 2, 1, 12, tzinfo=UTC)
    assert graded() == ["alice"]
    assert graded(late=True) == ["alice"]
    assert graded(late=True) == graded() == []  # what does not come from a platform says nothing against it
    assert graded(late=False) == ["alice"]
    assert graded(submitted_at=noon) == ["alice"]
    assert graded(submitted_at=noon.astimezone(timezone(timedelta(hours=8)))) == []
