"""What the pages name is there: files, folders, links, and every room in the picture of the house."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "tests/hostile/README.md"])
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
