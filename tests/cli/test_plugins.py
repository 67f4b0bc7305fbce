"""Broken plugins on the command line: who needs one is told, everyone else goes on, and stdout stays clean."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pytest
from cli_fakes import HW, FakeGrading
from click.testing import Result as Run

import harness.plugins
from harness.plugins import Plugins

Harness = Callable[..., Run]

NOISY = """
from harness.api import hookimpl
print("NOISE while imported")


class Noisy:
    name = "noisy"

    def render(self, board):
        print("NOISE while rendering")
        return {"board.txt": "the board\\n"}

    def export(self, board, template):
        raise ValueError("no column for points")


class Empty(Noisy):
    name = "empty"

    def render(self, board):
        return "the board"


@hookimpl
def harness_writers():
    return [Noisy(), Empty()]


@hookimpl
def harness_exporters():
    return [Noisy()]
"""


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ours, one that prints, and one that cannot be imported."""
    (tmp_path / "harness_noisy.py").write_text(NOISY, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "harness_noisy", raising=False)
    mine = [EntryPoint(name, module, "harness") for name, module in (("noisy", "harness_noisy"), ("bad", "no_such"))]
    ours = tuple(entry_points(group="harness"))
    monkeypatch.setattr(harness.plugins, "entry_points", lambda group: (*ours, *mine))


@pytest.fixture
def graded(harness: Harness, installed: None) -> Harness:
    assert harness("grade", HW, "class").exit_code == 0
    return harness


def test_the_broken_one_is_listed_with_its_error_and_the_others_with_what_they_do(
    harness: Harness, installed: None
) -> None:
    run = harness("plugins")
    assert run.exit_code == 0
    assert "Left out: plugin 'bad' (no_such): cannot be imported: ModuleNotFoundError" in run.stdout
    assert "accuracy" in run.stdout
    assert "NOISE" not in run.stdout


def test_who_needs_it_is_told_why_it_is_not_there(harness: Harness, installed: None) -> None:
    run = harness("grade", HW, "class", "--executor", "bad")
    assert run.exit_code == 2
    assert "no such executor (known: dask, local); it may be missing because of plugin 'bad' (no_such)" in run.stderr


@pytest.mark.parametrize("place", ["before", "after"])
def test_one_that_is_disabled_is_no_more_spoken_of(harness: Harness, installed: None, place: str) -> None:
    option = ("--disable-plugin", "bad", "--disable-plugin", "accuracy")
    run = harness(*option, "plugins") if place == "before" else harness("plugins", *option)
    assert run.exit_code == 0
    assert "Left out" not in run.output
    assert "harness_accuracy" not in run.stdout
    assert "unknown evaluator 'accuracy'" in harness(*option, "grade", HW, "class").stderr


def test_json_is_all_that_goes_to_stdout(
    graded: Harness, fake: FakeGrading, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    real = fake.grade_all

    def printing(*given: Any, **more: Any) -> Any:
        print("NOISE while measuring")  # noqa: T201 - as an evaluator might
        os.write(1, b"NOISE by descriptor\n")
        yield from real(*given, **more)

    monkeypatch.setattr("harness.grading.grader.grade_all", printing)
    for command, path in (("grade", "class"), ("check", "class/alice")):
        run = graded(command, HW, path, "--json", "-", *(["--fresh"] if command == "grade" else []))
        assert json.loads(run.stdout)["results"]
        assert "NOISE while measuring" in run.stderr
        assert "left out: plugin 'bad'" in run.stderr
        written = capfd.readouterr()
        assert "NOISE by descriptor" in written.err
        assert not written.out


def test_what_a_writer_prints_is_not_on_the_board(graded: Harness) -> None:
    run = graded("leaderboard", HW, "--format", "noisy")
    assert run.stdout == "the board\n"
    assert "NOISE while rendering" in run.stderr


def test_writers_and_exporters_that_fail_are_named(graded: Harness) -> None:
    run = graded("leaderboard", HW, "--format", "empty")
    assert (run.exit_code, "writer 'empty' (plugin harness_noisy): render() returned a str, no dict" in run.stderr) == (
        2,
        True,
    )
    run = graded("export", HW, "--to", "noisy")
    assert run.exit_code == 2
    assert "exporter 'noisy' (plugin harness_noisy): export() raised ValueError: no column for points" in run.stderr
    assert 'at harness_noisy.py line 14: `raise ValueError("no column for points")`' in run.stderr


def test_every_object_says_in_a_sentence_what_it_does() -> None:
    installed = Plugins.installed()
    for name, each in {**installed.evaluators, **installed.class_evaluators}.items():
        first = (type(each).__doc__ or "").split(maxsplit=1)[0]
        assert first.endswith("s"), f"{name}: {first} is no verb"
