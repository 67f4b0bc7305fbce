"""What hostile hand-ins print and are called, wherever it is shown."""

from __future__ import annotations

import csv
import io
import unicodedata
from contextlib import closing

import pytest
from click.testing import CliRunner
from hostile_arena import ARENAS
from hostile_crafted import EVIL_NAME

from harness.assignment.loading import load
from harness.cli import main
from harness.grading.environment import environment
from harness.plugins import Plugins
from harness.store.store import Store
from harness.values.results import Result

# What is shown does not depend on the sandbox: the run with all attacks is enough.
pytestmark = pytest.mark.timeout(500)

EVIL = ["terminal_text", "evil_names", "giant_error", "print_gigabytes"]


@pytest.fixture(scope="module")
def shown(arenas, tmp_path_factory):
    """Runs a command on a store of everything that was graded."""
    outcome = arenas[ARENAS[0]].graded()
    path = str(outcome["folder"] / "hostile-main.toml")
    assignment = load(path, Plugins.installed())
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/h.db"
    with closing(Store.open(url)) as store:
        for result in outcome["results"]["main"].values():
            store.add(assignment.info, environment("bwrap"), Result.model_validate(result))

    def show(command: str, *arguments: str) -> str:
        run = CliRunner().invoke(main, [command, path, *arguments, "--store", url])
        assert run.exit_code == 0, run.output
        return run.stdout

    return show


def _strange(text: str) -> set[str]:
    """Characters that move cursors, colour, hide or reverse."""
    return {each for each in text if unicodedata.category(each) in {"Cc", "Cf", "Cs", "Co"} and each != "\n"}


def test_it_was_evil(arenas):
    results = arenas[ARENAS[0]].graded()["results"]["main"]
    assert "\x1b]0;pwned\x07" in results["terminal_text"]["printed"]
    assert results["evil_names"]["nickname"] == EVIL_NAME


@pytest.mark.parametrize("name", EVIL)
@pytest.mark.parametrize("audience", ["student", "instructor"])
@pytest.mark.parametrize("kind", ["terminal", "markdown", "html", "json"])
def test_reports_are_plain_text(shown, name, audience, kind):
    text = shown("report", name, "--format", kind, "--audience", audience)
    assert name in text.replace("\\", "")
    assert _strange(text) == set()
    assert "<script>alert" not in text or kind not in {"markdown", "html"}
    # What was printed is capped, and students see none of it.
    assert ("x" * 50 in text) == (name == "print_gigabytes" and audience == "instructor")
    assert len(text) < 300_000


@pytest.mark.parametrize("arguments", [(), ("--ids",)])
@pytest.mark.parametrize("kind", ["table", "markdown", "csv", "json"])
def test_boards_are_plain_text(shown, kind, arguments):
    text = shown("leaderboard", "--format", kind, *arguments)
    assert "alert(1)" in text  # the name is shown, as a name
    assert _strange(text.replace("\r\n", "\n") if kind == "csv" else text) == set()
    assert "<script" not in text or kind != "markdown"
    if kind == "csv":
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "\t"))]


def test_the_site_runs_nothing_of_theirs(shown, tmp_path):
    shown("leaderboard", "--format", "html", "--out", str(tmp_path / "site"))
    pages = {path: path.read_text() for path in (tmp_path / "site").rglob("*") if path.suffix in {".html", ".svg"}}
    assert any("alert(1)" in text for text in pages.values())
    for path, text in pages.items():
        assert "<script>alert" not in text, path
        assert _strange(text) <= {"\t"}, path
