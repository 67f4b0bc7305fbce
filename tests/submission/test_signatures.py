"""Any change of files changes their signature; looking again does not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.submission.signatures import file_signature


def rewritten(folder: Path) -> None:
    """The same size and the same time of change, as some tools leave it."""
    file = folder / "inner" / "model.py"
    before = file.stat()
    time.sleep(0.05)  # a file system's clock may tick only a hundred times a second
    file.write_text("other")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def exchanged(folder: Path) -> None:
    (folder / "weights.pt").rename(folder / "old.pt")
    (folder / "inner" / "model.py").rename(folder / "weights.pt")
    (folder / "old.pt").rename(folder / "inner" / "model.py")


CHANGES: dict[str, Callable[[Path], object]] = {
    "added": lambda folder: (folder / "inner" / "new.py").write_text(""),
    "folder added": lambda folder: (folder / "empty").mkdir(),
    "removed": lambda folder: (folder / "weights.pt").unlink(),
    "renamed": lambda folder: (folder / "weights.pt").rename(folder / "weights.pth"),
    "grown": lambda folder: (folder / "weights.pt").write_bytes(b"longer than before"),
    "rewritten": rewritten,
    "exchanged": exchanged,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bob" / "inner").mkdir(parents=True)
    (tmp_path / "bob" / "inner" / "model.py").write_text("model")
    (tmp_path / "bob" / "weights.pt").write_bytes(b"bytes")
    return tmp_path / "bob"


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_seen(folder: Path, change: str) -> None:
    before = file_signature([folder])
    assert file_signature([folder]) == before
    CHANGES[change](folder)
    assert file_signature([folder]) != before


def test_files_alone_have_one_too(folder: Path) -> None:
    both = [folder / "weights.pt", folder / "inner" / "model.py"]
    before = file_signature(both)
    assert file_signature(both[::-1]) == before
    rewritten(folder)
    assert file_signature(both) != before


def test_the_way_to_them_may_be_spelled_otherwise(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = file_signature([folder])
    monkeypatch.chdir(folder.parent)
    assert file_signature([Path("bob")]) == file_signature([Path("bob/../bob")]) == before


def test_what_is_not_there_has_none(folder: Path) -> None:
    with pytest.raises(OSError, match="nothing"):
        file_signature([folder / "nothing"])
