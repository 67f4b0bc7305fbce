"""What is packed is what was read, byte for byte; whatever changes afterwards is noted and refuses nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.submission.hand_in import HandIn
from harness.submission.manifest import MANIFEST_FILE, is_packed, pack
from harness.submission.reading import Submission, read_submission

FILES = {
    "model.py": b"class StudentNet: ...\n",
    "lib/größe 表.py": b"x = 1\n",
    "notes.txt": b"",
    "data.dat": b"\0" * 2**20,
}
Read = Callable[[Path], Submission]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    (tmp_path / "scratch").mkdir()
    return lambda path: read_submission(HandIn(path.stem, path), tmp_path / "scratch", {})


@pytest.fixture
def work(tmp_path: Path) -> Path:
    for name, content in {**FILES, ".git/config": b"git", "__pycache__/model.pyc": b"pyc"}.items():
        file = tmp_path / "work" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return tmp_path / "work"


@pytest.fixture
def packed(work: Path, read: Read, tmp_path: Path) -> Path:
    pack(read(work).folder, tmp_path / "work.zip")
    return tmp_path / "work.zip"


def test_what_is_packed_reads_as_the_folder_does(work: Path, packed: Path, read: Read) -> None:
    folder, zipped = read(work), read(packed)
    assert zipped.digest == folder.digest
    assert zipped.sources == folder.sources == (Path("lib/größe 表.py"), Path("model.py"))
    assert (folder.notes, zipped.notes) == ((), ())
    assert not (zipped.folder / MANIFEST_FILE).exists()
    assert is_packed(packed)
    with zipfile.ZipFile(packed) as archive:
        assert sorted(archive.namelist()) == sorted([MANIFEST_FILE, *FILES])


def test_the_same_files_make_the_same_bytes_whenever_they_were_written(work: Path, packed: Path, read: Read) -> None:
    for each in work.rglob("*"):
        os.utime(each, (10**9, 10**9))
    again = packed.with_name("again.zip")
    pack(read(work).folder, again)
    assert again.read_bytes() == packed.read_bytes()


def test_packing_what_was_unpacked_changes_nothing(packed: Path, read: Read, tmp_path: Path) -> None:
    shutil.unpack_archive(packed, tmp_path / "unpacked")
    again = packed.with_name("again.zip")
    pack(read(tmp_path / "unpacked").folder, again)
    assert again.read_bytes() == packed.read_bytes()


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs coreutils")
def test_the_manifest_is_coreutils_own(packed: Path, tmp_path: Path) -> None:
    shutil.unpack_archive(packed, tmp_path / "unpacked")
    command = ["sha256sum", "--check", "--strict", MANIFEST_FILE]
    done = subprocess.run(command, cwd=tmp_path / "unpacked", capture_output=True, text=True, check=True)
    assert done.stdout.count(": OK\n") == len(FILES)


def test_what_changed_since_is_noted_and_refuses_nothing(packed: Path, read: Read, tmp_path: Path) -> None:
    handed_in = tmp_path / "handed in"
    shutil.unpack_archive(packed, handed_in)
    (handed_in / "model.py").write_text("class StudentNet: pass\n")
    (handed_in / "notes.txt").unlink()
    (handed_in / "helper.py").write_text("y = 2\n")
    found = read(handed_in)
    assert found.notes == ("since 'harness submit' packed it: changed: model.py; missing: notes.txt; added: helper.py",)
    assert Path("helper.py") in found.sources
    for number in range(9):
        (handed_in / f"more{number}.py").write_text("")
    assert "added: helper.py, more0.py, more1.py, more2.py, more3.py and 5 more" in read(handed_in).notes[0]


@pytest.mark.parametrize("content", [b"", b"MZ\0\xff", b"abc  model.py\n", b"0" * (9 << 20)])
def test_a_list_that_is_none_is_noted_and_refuses_nothing(content: bytes, work: Path, read: Read) -> None:
    before = read(work).digest
    (work / MANIFEST_FILE).write_bytes(content)
    found = read(work)
    assert "is not one that 'harness submit' wrote" in found.notes[0]
    assert found.digest == before


def test_a_name_that_zips_read_otherwise_is_refused(work: Path, tmp_path: Path) -> None:
    (work / "a\\b.py").write_text("")
    with pytest.raises(UsageError, match="rename it"):
        pack(work, tmp_path / "work.zip")


def test_other_zips_are_not_ours(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("model.py", "")
    (tmp_path / "none.zip").write_text("no zip")
    assert not is_packed(tmp_path / "other.zip")
    assert not is_packed(tmp_path / "none.zip")
