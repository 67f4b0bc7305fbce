"""What the pages name is there: files, folders, links, and every room in the picture of the house; their code is code."""

from __future__ import annotations

import doctest
import json
import re
import textwrap
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "tests/hostile/README.md"])
FOLDERS = "harness|plugins|tests|docs|fixtures|benchmarks"


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """Of headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text_of(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_and_links_lead_somewhere(page: Path) -> None:
    for path in re.findall(rf"`((?:{FOLDERS})/[\w./-]*)`", text_of(page)):
        assert (ROOT / path).exists(), path
    for module in re.findall(r"`(harness(?:\.\w+)+)`", text_of(page)):
        assert module == "harness.db" or is_module(module), module
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)", text_of(page)):
        there = page.parent / target if target else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), f"{target}#{anchor}"


def is_module(name: str) -> bool:
    """Whether it is a module, or something that one of its lines defines."""
    *parents, last = name.split(".")
    path, parent = ROOT.joinpath(*name.split(".")), ROOT.joinpath(*parents)
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    source = parent.with_suffix(".py") if parent.with_suffix(".py").is_file() else parent / "__init__.py"
    return source.is_file() and re.search(rf"\b{last}\b", text_of(source)) is not None


def is_python(text: str) -> None:
    compile(text, "a page", "exec")


def is_doctest(text: str) -> None:
    examples = doctest.DocTestParser().get_doctest(text, {}, "a page", None, None)
    said: list[str] = []
    assert examples.examples
    assert doctest.DocTestRunner().run(examples, out=said.append).failed == 0, "".join(said)


READ_BY = {"toml": tomllib.loads, "json": json.loads, "python": is_python, "yaml": yaml.safe_load}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_on_the_pages_is_code(page: Path) -> None:
    for language, block in re.findall(r"^ *```(\w*)\n(.*?)^ *```$", text_of(page), flags=re.MULTILINE | re.DOTALL):
        READ_BY.get(language, str)(textwrap.dedent(block))


def test_examples_of_statistics_come_out_by_other_code() -> None:
    blocks = re.findall(r"^```pycon\n(.*?)^```$", text_of(ROOT / "docs/statistics.md"), flags=re.MULTILINE | re.DOTALL)
    is_doctest("\n".join(blocks))


def test_every_page_is_in_the_navigation() -> None:
    """Of the site, which docs/conf.py makes from the index: whole pages, each once."""
    docs = ROOT / "docs"
    listed = re.findall(r"^- \[.+?\]\(([\w/-]+\.md)\)", text_of(docs / "index.md"), flags=re.MULTILINE)
    assert sorted(listed) == sorted(str(each.relative_to(docs)) for each in docs.rglob("*.md") if each.stem != "index")


def test_every_room_is_in_the_listing() -> None:
    listing = text_of(ROOT / "docs/architecture.md").partition("```text\nharness/\n")[2].partition("```")[0]
    named = set(re.findall(r"^  ([\w.]+)", listing, flags=re.MULTILINE))
    for folder in (ROOT / "harness", ROOT / "plugins"):
        rooms = {each.name for each in folder.iterdir() if each.is_dir() and (each / "__init__.py").is_file()}
        assert rooms <= named


def test_hooks_run_the_tools_that_tox_runs() -> None:
    pins = dict(re.findall(r"^([\w-]+)==(\S+)$", text_of(ROOT / "constraints.txt"), flags=re.MULTILINE))
    hooked = re.findall(r'"([\w-]+)==([^"]+)"', text_of(ROOT / ".pre-commit-config.yaml"))
    assert hooked
    assert all(pins[name] == version for name, version in hooked)
