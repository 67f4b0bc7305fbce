"""`harness watch` as it is typed, with a faked grading core and no waiting."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_fakes import HW, FakeGrading
from click.testing import Result as Run
from harness_site.writer import Html

Harness = Callable[..., Run]
Rounds = Callable[..., None]


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch, fake: FakeGrading) -> Rounds:
    """What happens after each round of the next watch; Ctrl-C ends it after the last."""
    for name in ("alice", "bob", "carol"):
        Path(f"class/{name}/model.py").write_text("x")

    def plan(*steps: Callable[[], object]) -> None:
        left: Iterable[Callable[[], object]] = iter(steps)

        def sleep(_seconds: float) -> None:
            step = next(left, None)  # type: ignore[call-overload]
            if step is None:
                raise KeyboardInterrupt
            step()

        monkeypatch.setattr("harness.cli.watch.time.sleep", sleep)

    plan()
    return plan


def events(run: Run) -> list[str]:
    """Lines without their times."""
    assert run.exit_code == 0, run.output
    return [line.split(" ", 2)[2] for line in run.stdout.splitlines()]


def watch(harness: Harness, *more: object) -> Run:
    return harness("watch", HW, "class", "--settle", "0", "--site", "site", *more)


def test_what_is_there_is_graded_and_what_arrives_later(harness: Harness, between: Rounds, fake: FakeGrading) -> None:
    def arrives() -> None:
        Path("class/dora.py").write_text("x")

    between(arrives)
    assert events(watch(harness)) == [
        f"watching class for {HW}, by the clocks of UTC; Ctrl-C ends it",
        "grading 3: alice, bob, carol",
        "alice: graded, 3 / 5 points, 1.5 s",
        "site: 2 pages",  # for there was none
        "bob: graded, 3 / 5 points, 1.5 s",
        "carol: graded, 3 / 5 points, 1.5 s",
        "site: 4 pages",
        "grading 1: dora",
        "dora: graded, 3 / 5 points, 1.5 s",
        "site: 5 pages",
        "stopped; the same command goes on",
    ]
    assert fake.graded == ["alice", "bob", "carol", "dora"]
    assert "dora" in Path("site/index.html").read_text(encoding="utf-8")


def test_it_goes_on_where_it_was_and_follows_what_is_decided(
    harness: Harness, between: Rounds, fake: FakeGrading
) -> None:
    harness("grade", HW, "class")
    between(lambda: harness("override", HW, "bob", "--status", "rejected", "--reason", "seen"), lambda: None)
    assert events(watch(harness))[2:-1] == ["3 as graded before: alice, bob, carol", "site: 4 pages", "site: 4 pages"]
    assert fake.graded == ["alice", "bob", "carol"]


def test_a_service_is_stopped_as_by_ctrl_c(harness: Harness, between: Rounds) -> None:
    before = signal.getsignal(signal.SIGTERM)
    between(lambda: os.kill(os.getpid(), signal.SIGTERM), lambda: pytest.fail("it went on"))
    assert events(watch(harness))[-1] == "stopped; the same command goes on"
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_table_with_mistakes_keeps_the_board_and_its_correction_makes_it(harness: Harness, between: Rounds) -> None:
    Path("times.csv").write_text("id,submitted\nalcie,2026-02-01T12:00Z\n")
    between(lambda: Path("times.csv").write_text("id,submitted\nalice,2026-02-01T12:00Z\n"))
    told = events(watch(harness, "--times", "times.csv"))
    trouble = [each for each in told if each.startswith("the board stays as it was: times.csv: 1 mistake; line 2: ")]
    assert len(trouble) == 1
    assert told[-2] == "site: 4 pages"


def test_a_writer_that_fails_is_named_and_the_site_stays_as_it_was(
    harness: Harness, between: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: dict[Path, bytes] = {}

    def breaks() -> None:
        whole.update({file: file.read_bytes() for file in Path("site").rglob("*") if file.is_file()})
        render = Html.render_site

        def halfway(*given: Any) -> Iterator[tuple[str, str]]:
            pages = render(*given)
            yield from (next(pages), next(pages))
            print("NOISE")  # noqa: T201 - as a plugin might
            raise ValueError("no ink")

        monkeypatch.setattr(Html, "render_site", halfway)
        Path("class/dora.py").write_text("x")

    between(breaks)
    told = events(watch(harness))
    (trouble,) = (each for each in told if "stays as it was" in each)
    assert trouble.startswith(
        "the board stays as it was: writer 'html' (plugin harness_site.writer): render_site() raised"
    )
    assert "NOISE" not in told
    assert {file: file.read_bytes() for file in Path("site").rglob("*") if file.is_file()} == whole


def test_without_a_writer_of_sites_nothing_is_watched(harness: Harness) -> None:
    run = harness("--disable-plugin", "site", "watch", HW, "class", "--site", "site")
    assert run.exit_code == 2
    assert "--site: there is no writer 'html' of sites (known: csv, json, markdown)" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nowhere",), "nowhere: no such folder"),
        (("class", "--site", "class/site"), "would be graded"),
        (("class", "--roster", "absent.csv"), "absent.csv: cannot be read"),
    ],
)
def test_what_cannot_be_watched_is_said_at_once(harness: Harness, arguments: tuple[str, ...], told: str) -> None:
    run = harness("watch", HW, *arguments)
    assert run.exit_code == 2
    assert told in run.stderr
