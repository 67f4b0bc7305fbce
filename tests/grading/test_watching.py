"""Round after round: what arrives is graded, shown and told, and no trouble ends it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from result_fakes import result

from harness.errors import UsageError
from harness.grading.watching import Watch
from harness.submission.arrivals import Arrivals
from harness.submission.hand_in import HandIn
from harness.values.results import Result


@dataclass
class Class:
    """A watched folder with made-up grading, whose clock moves by ten seconds a round."""

    folder: Path
    now: datetime = datetime(2026, 2, 1, 12, tzinfo=UTC)
    seconds_each: float = 0
    unchanged: set[str] = field(default_factory=set)
    held: dict[str, datetime] = field(default_factory=dict)
    trouble: Exception | None = None
    board_trouble: Exception | None = None
    published: list[bool] = field(default_factory=list)
    ready: Sequence[HandIn] = ()
    closed: bool = False

    def run_of(self, ready: Sequence[HandIn]) -> Any:
        self.ready = ready
        return self

    def grade(self) -> Generator[Result]:
        try:
            for each in self.ready:
                if self.trouble:
                    raise self.trouble
                if each.id not in self.unchanged | set(self.held):
                    self.now += timedelta(seconds=self.seconds_each)
                    yield result(each.id)
        finally:
            self.closed = True

    def publish(self, graded: bool) -> str | None:
        if self.board_trouble:
            raise self.board_trouble
        self.published.append(graded)
        return "site: 2 pages" if graded else None

    def watch(self) -> Watch:
        arrivals = Arrivals(self.folder, timedelta(seconds=5))
        return Watch(arrivals, self.run_of, self.publish, lambda: self.now, ZoneInfo("Asia/Taipei"))

    def round(self, watch: Watch) -> list[str]:
        self.now += timedelta(seconds=10)
        return list(watch.round())


@pytest.fixture
def group(tmp_path: Path) -> Class:
    for name in ("alice", "bob"):
        (tmp_path / f"{name}.py").write_text(name)
    return Class(tmp_path)


def test_a_round_grades_what_is_whole_and_says_each_event_in_a_line(group: Class) -> None:
    watch = group.watch()
    assert group.round(watch) == []
    assert group.round(watch) == [
        "grading 2: alice, bob",
        "alice: graded, 3 / 5 points, 1.5 s",
        "bob: graded, 3 / 5 points, 1.5 s",
        "site: 2 pages",
    ]
    assert group.round(watch) == []
    (group.folder / "bob.py").write_text("better")
    assert group.round(watch) == []
    group.unchanged = {"bob"}
    assert group.round(watch) == ["grading 1: bob", "1 as graded before: bob"]


def test_during_a_long_round_the_site_follows_now_and_then(group: Class) -> None:
    for number in range(8):
        (group.folder / f"s{number}.py").write_text("x")
    watch = group.watch()
    group.round(watch)
    group.seconds_each = 10
    events = group.round(watch)
    # It was looked at 10 s before the round: after the second of ten it is 30 s old, then after every third, and last.
    graded = [sum("graded" in each for each in events[:index]) for index, each in enumerate(events) if "site" in each]
    assert graded == [2, 5, 8, 10]


def test_what_waits_for_its_day_is_told_when_and_comes_then(group: Class) -> None:
    watch = group.watch()
    group.round(watch)
    group.held = {"bob": datetime(2026, 2, 1, 16, tzinfo=UTC)}
    assert group.round(watch)[-2:] == [
        "bob: waits, as all attempts of this day are used; the next is allowed at 2026-02-02 00:00 UTC+08:00",
        "site: 2 pages",
    ]
    assert group.round(watch) == []
    group.now, group.held = datetime(2026, 2, 1, 16, tzinfo=UTC), {}
    assert group.round(watch)[1] == "bob: graded, 3 / 5 points, 1.5 s"


@pytest.mark.parametrize("error", [UsageError("store: cannot be written: disk full"), OSError("no space")])
def test_trouble_is_told_once_and_tried_again(group: Class, error: Exception) -> None:
    watch = group.watch()
    group.round(watch)
    group.trouble = error
    assert group.round(watch) == ["grading 2: alice, bob", f"grading stopped: {error}"]
    assert f"grading stopped: {error}" not in group.round(watch)
    group.trouble = None
    assert "alice: graded, 3 / 5 points, 1.5 s" in group.round(watch)


def test_a_board_that_cannot_be_made_stays_and_is_made_later(group: Class) -> None:
    watch = group.watch()
    group.round(watch)
    group.board_trouble = UsageError("times.csv: 1 mistake\n  line 2: no submission 'alcie'")
    assert "the board stays as it was: times.csv: 1 mistake; line 2: no submission 'alcie'" in group.round(watch)
    assert group.round(watch) == []
    group.board_trouble = None
    assert group.round(watch) == ["site: 2 pages"]


def test_what_stands_in_the_way_is_told_once(group: Class) -> None:
    (group.folder / "bob.zip").write_text("x")
    watch = group.watch()
    (told,) = group.round(watch)
    assert told.startswith("2 submissions have the id 'bob'")
    assert told not in group.round(watch)


def test_closing_a_round_stops_what_is_running(group: Class) -> None:
    watch = group.watch()
    group.round(watch)
    group.now += timedelta(seconds=10)
    with closing(watch.round()) as events:
        assert [next(events), next(events)] == ["grading 2: alice, bob", "alice: graded, 3 / 5 points, 1.5 s"]
    assert group.closed
    # Nothing was dealt with: the store knows that alice was graded, and whoever goes on asks it.
    assert group.round(watch)[0] == "grading 2: alice, bob"
