"""A site's folder while it is read: whole files, the board last, and nothing removed that is not the site's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cli.site_folder import replace_file, replace_site
from harness.errors import UsageError


def test_the_board_is_written_after_the_pages_it_links_to(tmp_path: Path) -> None:
    def files() -> Iterator[tuple[str, str]]:
        yield "index.html", "board"
        assert not (tmp_path / "index.html").exists()
        yield "submissions/a.html", "alice"
        assert not (tmp_path / "index.html").exists()

    assert replace_site(files(), tmp_path) == 2
    assert (tmp_path / "index.html").read_text() == "board"
    assert (tmp_path / "submissions/a.html").read_text() == "alice"


def test_pages_that_are_no_more_go_and_nothing_else(tmp_path: Path) -> None:
    replace_site([("index.html", "1"), ("submissions/a.html", "a"), ("submissions/b.html", "b")], tmp_path)
    (tmp_path / "CNAME").write_text("example.org")
    (tmp_path / "submissions/mine.html").write_text("mine")
    unchanged = (tmp_path / "submissions/b.html").stat()
    replace_site([("index.html", "2"), ("submissions/b.html", "b")], tmp_path)
    assert {str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*") if each.is_file()} == {
        ".harness-site",
        "CNAME",
        "index.html",
        "submissions/b.html",
        "submissions/mine.html",
    }
    assert (tmp_path / "submissions/b.html").stat() == unchanged


@pytest.mark.parametrize("written", ["../outside.html", "/etc/outside.html", "\0", "submissions"])
def test_what_names_the_files_of_a_site_leads_nowhere_else(tmp_path: Path, written: str) -> None:
    outside = tmp_path / "outside.html"
    outside.write_text("kept")
    (tmp_path / "site").mkdir()
    (tmp_path / "site/.harness-site").write_text(written)
    replace_site([("index.html", "1")], tmp_path / "site")
    assert outside.read_text() == "kept"
    assert (tmp_path / "site/.harness-site").read_text() == "index.html\n"


def test_a_run_that_was_killed_leaves_nothing_that_stays(tmp_path: Path) -> None:
    replace_site([("index.html", "1")], tmp_path)

    def killed() -> Iterator[tuple[str, str]]:
        yield "index.html", "2"
        yield "submissions/a.html", "a"
        (tmp_path / "submissions/.b.html.new").write_text("ha")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace_site(killed(), tmp_path)
    assert (tmp_path / "index.html").read_text() == "1"
    replace_site([("index.html", "3"), ("submissions/b.html", "b")], tmp_path)
    names = {each.name for each in tmp_path.rglob("*") if each.is_file()}
    assert names == {".harness-site", "index.html", "b.html"}


def test_whoever_reads_finds_a_whole_file(tmp_path: Path) -> None:
    target, torn, stop = tmp_path / "index.html", [], threading.Event()
    texts = ["a" * 500_000, "b" * 400_000]
    replace_file(target, texts[0])

    def read() -> None:
        while not stop.is_set():
            if (found := target.read_text()) not in texts:
                torn.append(len(found))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(60):
        replace_file(target, texts[number % 2])
    stop.set()
    reader.join()
    assert torn == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "site").write_text("a file")
    with pytest.raises(UsageError, match=r"site.*: cannot be (written|made)"):
        replace_site([("index.html", "1")], tmp_path / "site")
