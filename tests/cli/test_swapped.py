"""ASSIGNMENT and what follows it in the other order: every command that takes both says how it should be typed."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from cli_fakes import HW
from click.testing import Result as Run

from harness.cli import COMMANDS, main

Harness = Callable[..., Run]
MORE = {
    "override": ["--score", "3", "--why", "because"],
    "extend": ["--until", "2027-01-31T23:59:00+08:00", "--why", "ill"],
    "excuse": ["--why", "ill"],
    "remove": ["--why", "left"],
}


def both() -> list[str]:
    """The commands with an assignment and another argument."""
    context = click.Context(main)
    commands = {name: main.get_command(context, name) for name in COMMANDS}
    arguments = {
        name: [each.name for each in command.params if isinstance(each, click.Argument)]
        for name, command in commands.items()
        if command is not None
    }
    return [name for name, given in arguments.items() if "assignment_name" in given and len(given) > 1]


@pytest.mark.parametrize("name", both())
def test_it_is_said_how_it_should_be_typed(harness: Harness, name: str) -> None:
    more = MORE.get(name, [])
    run = harness(name, "class/alice", HW, *more)
    assert run.exit_code == 2, run.output
    assert f"the assignment comes first: harness {shlex.join([name, HW, 'class/alice', *more])}" in run.stderr


def test_a_file_is_an_assignment_too_and_options_stay_where_they_are(harness: Harness) -> None:
    Path("my hw.toml").write_text("", encoding="utf-8")
    run = harness("check", "-q", "class/alice", "my hw.toml", "--json", "-")
    assert "harness check -q 'my hw.toml' class/alice --json -" in run.stderr


def test_what_is_no_assignment_either_is_told_as_before(harness: Harness) -> None:
    run = harness("check", "class/alice", "class/bob")
    assert "a folder, not a file" in run.stderr
