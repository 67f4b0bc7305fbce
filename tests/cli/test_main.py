"""The command itself: help, unknown commands, and the quick commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import click
import pytest
from cli_fakes import HW, FakeGrading, FakeSandbox
from click.shell_completion import ShellComplete
from click.testing import Result as Run

from harness.cli import COMMANDS, main
from harness.vocabulary import SANDBOXES, ExitCode, describe_exit

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


def test_the_exit_codes_are_listed_with_their_phrases(harness: Harness) -> None:
    text = " ".join(harness("--help").stdout.split())
    assert all(f"{code:d} {describe_exit(code)}" in text for code in ExitCode)


@pytest.mark.parametrize("level", SANDBOXES)
@pytest.mark.parametrize(("command", "folder"), [("check", "class/alice"), ("grade", "class")])
def test_every_sandbox_can_be_chosen(
    harness: Harness, fake: FakeGrading, monkeypatch: pytest.MonkeyPatch, command: str, folder: str, level: str
) -> None:
    chosen: list[str] = []

    def choose(name: str) -> FakeSandbox:
        chosen.append(name)
        return fake.choose(name)

    monkeypatch.setattr("harness.sandbox.choose", choose)
    run = harness(command, "nycu-ds2023-hw2", folder, "--sandbox", level)
    assert run.exit_code in (0, 1), run.output
    assert chosen == [level]
    assert level in harness(command, "--help").stdout


def test_other_sandboxes_are_refused_with_those_there_are(harness: Harness) -> None:
    run = harness("grade", "nycu-ds2023-hw2", "class", "--sandbox", "docker")
    assert run.exit_code == 2
    assert all(repr(name) in run.stderr for name in SANDBOXES)


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


@pytest.mark.parametrize(
    ("words", "begun", "expected"),
    [
        (["check"], "nycu", {HW}),
        (["leaderboard", HW, "--format"], "", {"table", "markdown", "csv", "json", "html"}),
        (["report", HW, "alice", "--format"], "s", {"svg"}),
        (["export", HW, "--to"], "c", {"csv", "canvas"}),
        (["grade", HW, "class", "--executor"], "", {"local", "dask"}),
        (["check", "--disable-plugin"], "ac", {"accuracy"}),
        ([], "leader", {"leaderboard"}),
    ],
)
def test_shells_complete_ids_formats_and_plugins(words: list[str], begun: str, expected: set[str]) -> None:
    completion = ShellComplete(main, {}, "harness", "_HARNESS_COMPLETE")
    found = {each.value for each in completion.get_completions(words, begun)}
    assert expected <= found
    assert all(each.startswith(begun) for each in found)


def test_one_option_means_one_thing_in_every_command() -> None:
    context = click.Context(main)
    commands = {name: main.get_command(context, name) for name in COMMANDS}
    meanings: dict[str, set[tuple[object, object]]] = {}
    for command in commands.values():
        for each in command.params if command is not None else ():
            for spelling in {"-q", "--quiet", "--json"} & {*each.opts, *each.secondary_opts}:
                meanings.setdefault(spelling, set()).add((each.is_flag, each.metavar))
    assert meanings == {"-q": {(True, None)}, "--quiet": {(True, None)}, "--json": {(False, "FILE|-")}}
