"""What `harness new` makes works as it is."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result as Run
from inner_pytest import said_by_pytest
from safetensors import safe_open

from harness.assignment.loading import load
from harness.cli.new import _KINDS
from harness.cli.templates import spelt
from harness.errors import UsageError
from harness.plugins import Plugins

Harness = Callable[..., Run]


def test_plugins_of_every_kind_pass_their_own_tests(harness: Harness) -> None:
    """All in one process, without an installation; behind a wall one is graded in tests/sandboxed."""
    for kind in _KINDS:
        run = harness("new", "plugin", f"try-{kind}", "--kind", kind, "--out", f"plugins/{kind}")
        assert (run.exit_code, run.stderr) == (0, ""), run.output
        assert f"pip install -e plugins/{kind}" in run.stdout.splitlines()[-1]
    code, said = said_by_pytest(Path.cwd(), "-k", "not wall", "-W", "error", "plugins")
    assert code == 0, said
    for kind in _KINDS:
        module = f"harness_try_{kind.replace('-', '_')}"
        project = tomllib.loads(Path(f"plugins/{kind}/pyproject.toml").read_text(encoding="utf-8"))
        assert project["project"]["entry-points"]["harness"] == {module.removeprefix("harness_"): module}
        source = Path(f"plugins/{kind}/{module}.py").read_text(encoding="utf-8")
        assert f'name = "{module.removeprefix("harness_")}"' in source
    left = [file for file in Path("plugins").rglob("*.py") if "y_plugin" in file.read_text(encoding="utf-8").lower()]
    assert not left


def test_an_assignment_is_valid(harness: Harness) -> None:
    run = harness("new", "assignment", "Homework 9")
    assert run.exit_code == 0, run.output
    made = load("Homework 9/homework_9.toml", Plugins.installed())
    assert (made.id, made.rules.title) == ("homework-9", "Homework 9")
    assert made.info.data.stand_in


def test_a_submission_holds_what_its_source_says(harness: Harness) -> None:
    assert harness("new", "submission", "anna", "--out", "class/anna").exit_code == 0
    settings = tomllib.loads(Path("class/anna/submission.toml").read_text(encoding="utf-8"))
    assert settings == {"nickname": "anna"}
    with safe_open("class/anna/weights.safetensors", "pt") as file:
        assert file.get_slice("classifier.weight").get_shape() == [10, 784]


@pytest.mark.parametrize("stem", ["plugin", "assignment", "submission"])
def test_nothing_is_written_over(harness: Harness, stem: str) -> None:
    Path("mine").mkdir()
    run = harness("new", stem, "mine")
    assert run.exit_code == 2
    assert "mine is there already: choose another name" in run.stderr
    assert list(Path("mine").iterdir()) == []


@pytest.mark.parametrize("name", ["", "9lives", "über", "a/b", "../up", "import os", "a--b", "x;y"])
def test_a_name_that_python_cannot_spell_is_refused(name: str) -> None:
    if name == "import os":
        assert spelt("plugin", name)["my_plugin"] == "import_os"
        return
    with pytest.raises(UsageError, match="such as my-plugin"):
        spelt("plugin", name)


def test_every_spelling_of_a_name() -> None:
    assert spelt("plugin", "Less is-more") == {
        "my_plugin": "less_is_more",
        "my-plugin": "less-is-more",
        "MyPlugin": "LessIsMore",
        "My plugin": "Less is more",
    }
