"""The command itself: help, unknown commands, and the quick commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from cli_fakes import FakeGrading
from click.testing import Result as Run

from harness.cli import COMMANDS
from harness.cli.options import DEFAULT_STORE
from harness.store.store import DEFAULT_URL

Harness = Callable[..., Run]


def test_help_lists_every_command(harness: Harness) -> None:
    run = harness("--help")
    assert run.exit_code == 0
    assert all(f"  {name}  " in run.stdout for name in COMMANDS)
    assert "Exit codes" in run.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_the_short_help_is_the_command_s_own(harness: Harness, name: str) -> None:
    text = import_module(f"harness.cli.{name}").command.help
    assert text.partition("\n")[0].startswith(COMMANDS[name].removesuffix("."))
    assert harness(name, "--help").exit_code == 0


def test_an_unknown_command_is_suggested(harness: Harness) -> None:
    run = harness("leadreboard")
    assert run.exit_code == 2
    assert "Did you mean 'leaderboard'?" in run.stderr


def test_one_default_store() -> None:
    assert DEFAULT_STORE == DEFAULT_URL


def test_every_mistake_of_an_assignment_is_printed(harness: Harness) -> None:
    Path("bad.toml").write_text("titel = 'x'\n[evaluators.acuracy]\n", encoding="utf-8")
    run = harness("grade", "bad.toml", "class")
    assert run.exit_code == 2
    assert "did you mean 'title'?" in run.stderr
    assert "unknown evaluator 'acuracy'; did you mean 'accuracy'?" in run.stderr


def test_plugins_lists_ours(harness: Harness) -> None:
    run = harness("plugins")
    assert run.exit_code == 0
    assert "harness_boards" in run.stdout
    assert "accuracy" in run.stdout


def test_schema_is_json(harness: Harness) -> None:
    assert "parameter_limit" in json.loads(harness("schema").stdout)["properties"]["evaluators"]["properties"]


def test_doctor_says_what_is_missing(harness: Harness, fake: FakeGrading) -> None:
    run = harness("doctor")
    assert run.exit_code == 0, run.output
    assert "torchinfo" in run.stdout
    fake.sandbox_works = False
    assert harness("doctor").exit_code == 3
