"""Reading hand-ins: what is staged, what the digest depends on, what is refused."""

from __future__ import annotations

import errno
import gzip
import io
import os
import pickle
import socket
import stat
import struct
import tarfile
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
import torch
from harness_formats import containers as harness_formats
from harness_formats import hw7_pickles as harness_hw7_pickles
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import SubmissionError, UsageError
from harness.plugins import Plugins
from harness.submission.discovery import discover, find, submission_id
from harness.submission.reading import HandIn, ReadLimits, Submission, read_submission
from harness.submission.settings import parse_settings

FORMATS = Plugins.of(harness_formats, harness_hw7_pickles).weight_formats
SMALL = ReadLimits(file_bytes=200_000, total_bytes=300_000, files=20, ratio=50, free_bytes=100_000)
WEIGHTS = pickle.dumps({"a": np.float64(1)})


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Submission]:
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def reader(path: Path, limits: ReadLimits = SMALL) -> Submission:
        return read_submission(HandIn(submission_id(path), path), scratch, FORMATS, limits)

    return reader


def folder(path: Path, **files: str | bytes) -> Path:
    path.mkdir(parents=True)
    for name, content in files.items():
        file = path / name.replace("__", "/").replace("_dot_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def alice(path: Path, toml: str = "", **more: str | bytes) -> Path:
    files = {"model_dot_py": "x = 1\n", "w_dot_pkl": WEIGHTS, "lib__parts_dot_py": "y = 2\n", **more}
    return folder(path, **(files | ({"submission_dot_toml": toml} if toml else {})))


def zipped(path: Path, members: dict[str, bytes], **options: Any) -> Path:
    with zipfile.ZipFile(path, "w", options.pop("method", zipfile.ZIP_DEFLATED)) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix != ".tar" else "w") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def names(submission: Submission) -> set[str]:
    return {each.relative_to(submission.folder).as_posix() for each in submission.folder.rglob("*") if each.is_file()}


def test_a_folder_is_staged_read_only_and_described(tmp_path: Path, read: Any) -> None:
    path = alice(tmp_path / "alice", __pycache____model_dot_pyc="x", _dot_DS_Store="x", _dot_git__config="x")
    os.utime(path / "w.pkl", (2e9, 2e9))
    found = read(path)
    assert found.id == "alice"
    assert found.sources == (Path("lib/parts.py"), Path("model.py"))
    assert (found.weights, found.weights_bytes) == (Path("w.pkl"), len(WEIGHTS))
    assert names(found) == {"model.py", "w.pkl", "lib/parts.py"}
    assert found.submitted_at == datetime.fromtimestamp(2e9, UTC)
    assert all(not each.stat().st_mode & 0o222 for each in found.folder.rglob("*") if each.is_file())
    (path / "model.py").write_text("changed")
    assert (found.folder / "model.py").read_text() == "x = 1\n"


def test_the_digest_depends_on_names_and_contents_only(tmp_path: Path, read: Any) -> None:
    path = alice(tmp_path / "alice")
    files = {each.relative_to(path).as_posix(): each.read_bytes() for each in path.rglob("*") if each.is_file()}
    packed = [
        path,
        zipped(tmp_path / "a.zip", files),
        zipped(tmp_path / "b.zip", {f"alice/{name}": data for name, data in reversed(files.items())}),
        zipped(tmp_path / "c.zip", files | {"__MACOSX/._model.py": b"x", "Thumbs.db": b"x"}, method=zipfile.ZIP_STORED),
        tarred(tmp_path / "d.tar.gz", *((member(f"./top/{name}"), data) for name, data in files.items())),
        tarred(tmp_path / "e.tgz", *((member(name), data) for name, data in files.items())),
        tarred(tmp_path / "f.tar", *((member(name), data) for name, data in files.items())),
        zipped(tmp_path / "g.zip", {name.replace("/", "\\"): data for name, data in files.items()}),
    ]
    (folder(tmp_path / "only_an_archive") / "hw.zip").write_bytes(packed[1].read_bytes())
    found = [read(each) for each in [*packed, tmp_path / "only_an_archive"]]
    assert len({each.digest for each in found}) == 1
    assert [each.id for each in found] == ["alice", "a", "b", "c", "d", "e", "f", "g", "only_an_archive"]
    (path / "model.py").write_text("x = 2\n")
    (path / "lib/parts.py").rename(path / "lib/part.py")
    assert read(path).digest != found[0].digest


def test_lone_sources_take_the_weights_beside_them(tmp_path: Path, read: Any) -> None:
    path = folder(tmp_path / "class", bob_dot_py="x", bob_dot_bin=WEIGHTS, eve_dot_ipynb="{}")
    (path / "eve.final.pth.tar").write_bytes(WEIGHTS)
    assert read(path / "bob.py").weights == Path("bob.bin")
    assert read(path / "eve.ipynb").weights == Path("eve.final.pth.tar")
    (path / "other.bin").write_bytes(WEIGHTS)
    assert read(path / "bob.py").weights == Path("bob.bin")
    with pytest.raises(SubmissionError, match="several weights files lie beside"):
        read(path / "eve.ipynb")


def test_odd_names_are_kept_printable(tmp_path: Path, read: Any) -> None:
    path = alice(tmp_path / "王小明 \x1b[31m")
    (path / "模型 v2.py").write_text("x")
    (path / os.fsdecode(b"caf\xe9\n.py")).write_text("x")
    found = read(path)
    assert found.id == "王小明 \\x1b[31m"
    assert {"模型 v2.py", "caf\\udce9\\n.py"} <= names(found)


def test_settings_are_read(tmp_path: Path, read: Any) -> None:
    toml = """
        nickname = "Mäx"
        members = ["A", "B"]
        entry_point = "Net"
        kd_function = "loss"
        weights = "w.pkl"
        input_size = 64
        submitted_at = 2026-05-01T12:00:00+08:00
        checkpoints = { "90 %" = ["other.pkl"] }
        [model_arguments]
        width = 8
        [claims]
        parameters = 38000
        accuracy = 0.9
        [claims.curves]
        pruning = [[95_386, 0.94], [48_000, 0.91]]
    """
    settings_read = read(alice(tmp_path / "a", toml, other_dot_pkl=WEIGHTS)).settings
    assert settings_read.claims.figures == {"parameters": 38000, "accuracy": 0.9}
    assert settings_read.claims.curves == {"pruning": ((95_386, 0.94), (48_000, 0.91))}
    assert settings_read.model_arguments == {"width": 8}
    assert settings_read.submitted_at == datetime(2026, 5, 1, 4, tzinfo=UTC)


def test_all_mistakes_in_submission_toml_come_at_once(tmp_path: Path, read: Any) -> None:
    toml = 'nickame = "x"\nmembers = "A"\ninput_size = "64"\nsubmitted_at = 2026-05-01T12:00:00\n[claims]\naccuracy = "0.9"\n'
    with pytest.raises(SubmissionError) as raised:
        read(alice(tmp_path / "a", toml))
    assert raised.value.reason.startswith("submission.toml: 5 mistakes")
    assert "nickame: unknown key; did you mean 'nickname'?" in raised.value.reason
    assert "submitted_at: needs a time zone" in raised.value.reason


@pytest.mark.parametrize(
    ("toml", "reason"),
    [
        ("x = ", "not valid TOML"),
        ("a = " + "[" * 5000, "not valid TOML"),
        ('weights = "w.pk"', "did you mean 'w.pkl'"),
        ('weights = "../w.pkl"', "there is no file"),
        ('checkpoints = { a = ["no.pt"] }', "checkpoints.a.0: there is no file 'no.pt'"),
    ],
)
def test_bad_settings_are_refused(toml: str, reason: str, tmp_path: Path, read: Any) -> None:
    with pytest.raises(SubmissionError, match=reason):
        read(alice(tmp_path / "a", toml))


def test_several_weights_need_a_line_that_settles_it(tmp_path: Path, read: Any) -> None:
    with pytest.raises(SubmissionError) as raised:
        read(alice(tmp_path / "a", best_dot_bin=WEIGHTS))
    assert "2 files look like weights: best.bin, w.pkl" in raised.value.reason
    assert 'weights = "best.bin" or weights = "w.pkl"' in str(raised.value.hint)
    assert read(alice(tmp_path / "b", 'weights = "./w.pkl"', best_dot_bin=WEIGHTS)).weights == Path("w.pkl")
    assert read(alice(tmp_path / "c", 'checkpoints = {a = ["best.bin"]}', best_dot_bin=WEIGHTS)).weights == Path(
        "w.pkl"
    )


def test_no_weights_is_not_fatal_here(tmp_path: Path, read: Any) -> None:
    found = read(folder(tmp_path / "a", model_dot_py="x", data_dot_csv="1,2", picture_dot_png=b"\x89PNG"))
    assert (found.weights, found.weights_bytes) == (None, 0)


def test_links_inside_are_copied_and_others_refused(tmp_path: Path, read: Any) -> None:
    path = alice(tmp_path / "a")
    (path / "again.py").symlink_to("model.py")
    (path / "more").symlink_to("lib")
    assert {"again.py", "more/parts.py"} <= names(read(path))
    for target in ("/etc/passwd", "../secret", "nowhere", ".", "loop"):
        (tmp_path / "secret").write_text("x")
        link = path / "loop"
        link.symlink_to(target)
        with pytest.raises(SubmissionError, match="link"):
            read(path)
        link.unlink()


def test_links_in_archives(tmp_path: Path, read: Any) -> None:
    good = [(member("t/m.py"), b"x"), (member("t/a.py", tarfile.SYMTYPE, "./m.py"), b""),
            (member("t/h.py", tarfile.LNKTYPE, "t/m.py"), b""), (member("t/b.py", tarfile.SYMTYPE, "a.py"), b"")]  # fmt: skip
    assert names(read(tarred(tmp_path / "good.tar", *good))) == {"m.py", "a.py", "b.py", "h.py"}
    for target in ("/etc/passwd", "../../etc/passwd", "nowhere", ".", "loop"):
        bad = tarred(tmp_path / "bad.tar", *good[:1], (member("t/loop", tarfile.SYMTYPE, target), b""))
        with pytest.raises(SubmissionError, match="link"):
            read(bad)
    info = zipfile.ZipInfo("evil")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(info, "../../secret")
    with pytest.raises(SubmissionError, match="leaves the submission"):
        read(tmp_path / "bad.zip")


def test_devices_and_pipes_are_refused(tmp_path: Path, read: Any) -> None:
    path = alice(tmp_path / "a")
    os.mkfifo(path / "pipe")
    with pytest.raises(SubmissionError, match="pipe"):
        read(path)
    (path / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path / "s"))
        with pytest.raises(SubmissionError, match="socket"):
            read(path)
    for kind in (tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE):
        with pytest.raises(SubmissionError, match="device"):
            read(tarred(tmp_path / "d.tar", (member("m.py"), b"x"), (member("dev", kind), b"")))


@pytest.mark.parametrize("name", ["../x.py", "a/../../x.py", "/etc/x.py", "..\\x.py", "C:\\x.py", "C:/x.py"])
def test_names_that_leave_are_refused(name: str, tmp_path: Path, read: Any) -> None:
    with pytest.raises(SubmissionError, match="name"):
        read(zipped(tmp_path / "a.zip", {name: b"x"}))
    if "\\" not in name:
        with pytest.raises(SubmissionError, match="name"):
            read(tarred(tmp_path / "a.tar.gz", (member(name), b"x")))
    assert not (tmp_path / "x.py").exists()


def test_bombs_and_giants_are_refused(tmp_path: Path, read: Any) -> None:
    zeros = bytes(150_000)
    bombs = {
        "ratio.zip": zipped(tmp_path / "ratio.zip", {"a": zeros}),
        "ratio.tar.gz": tarred(tmp_path / "ratio.tar.gz", (member("a"), zeros)),
        "file.zip": zipped(tmp_path / "file.zip", {"a": os.urandom(250_000)}),
        "total.zip": zipped(
            tmp_path / "total.zip", {name: os.urandom(150_000) for name in "ab"}, method=zipfile.ZIP_STORED
        ),
        "files.zip": zipped(tmp_path / "files.zip", {f"{number}.py": b"x" for number in range(30)}),
        "noise.tar.gz": tarred(tmp_path / "noise.tar.gz", (member("m.py"), b"x"), (member("venv/a"), bytes(900_000))),
        "total": alice(tmp_path / "total", big_dot_bin=os.urandom(150_000), big2_dot_bin=os.urandom(150_000)),
        "file": alice(tmp_path / "file", big_dot_bin=os.urandom(250_000)),
    }
    for name, path in bombs.items():
        with pytest.raises(SubmissionError, match=r"more than|larger than|has [\d,]+ bytes") as raised:
            read(path)
        assert raised.value.status == "rejected", name


def test_a_zip_that_lies_about_sizes_is_refused(tmp_path: Path, read: Any) -> None:
    path = zipped(tmp_path / "a.zip", {"a.py": bytes(90_000)})
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<L", 10)
    path.write_bytes(bytes(data))
    with pytest.raises(SubmissionError, match="damaged"):
        read(path)


def test_a_gzip_of_endless_headers_ends_soon(tmp_path: Path, read: Any) -> None:
    header = member("x", tarfile.XHDTYPE)
    header.size = 8 << 30
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(header.tobuf() + bytes(1 << 20)))
    started = time.process_time()
    with pytest.raises(SubmissionError):
        read(path)
    negative = member("x").tobuf()
    negative = negative[:124] + b"\xff" * 11 + b"\x00" + negative[136:]
    path.write_bytes(gzip.compress(negative * 4))
    with pytest.raises(SubmissionError):
        read(path)
    assert time.process_time() - started < 5


def test_broken_encrypted_foreign_and_empty_archives(tmp_path: Path, read: Any) -> None:
    good = zipped(tmp_path / "good.zip", {"m.py": b"print(1)\n" * 50}).read_bytes()
    flagged = bytearray(good)
    flagged[flagged.rfind(b"PK\x01\x02") + 8] |= 1
    cases = {
        "torn.zip": (good[:-40], "damaged"), "flipped.zip": (good.replace(good[40:44], b"\0\0\0\0"), "damaged"),
        "locked.zip": (bytes(flagged), "encrypted"), "a.rar": (b"Rar!\x1a\x07", "cannot be read"),
        "empty.zip": (zipped(tmp_path / "e.zip", {}).read_bytes(), "empty"), "nothing.zip": (b"", "damaged"),
        "torn.tar.gz": (gzip.compress(member("m.py").tobuf() + os.urandom(2000))[:-900], "damaged"), "text.tar": (b"hello " * 200, "damaged"),
    }  # fmt: skip
    for name, (data, reason) in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(SubmissionError, match=reason):
            read(tmp_path / name)
    with pytest.raises(SubmissionError, match="empty"):
        read(folder(tmp_path / "empty", _dot_DS_Store="x"))
    with pytest.raises(SubmissionError, match="handed in"):
        read(folder(tmp_path / "pdf", report_dot_pdf="x") / "report.pdf")


class _Trap:
    def __init__(self, canary: str) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.mkdir, (self.canary,)


@pytest.mark.parametrize("form", ["zip", "legacy", "pickle", "npz"])
def test_reading_runs_nothing(form: str, tmp_path: Path, read: Any) -> None:
    canary = tmp_path / "canary"
    trap = {"w": _Trap(str(canary))}
    path = folder(tmp_path / "a", model_dot_py=f"import os\nos.mkdir({str(canary)!r})\n")
    if form == "npz":
        np.savez(path / "w.npz", weights=np.array(trap, dtype=object))
    elif form == "pickle":
        (path / "w.npz").write_bytes(pickle.dumps(trap))
    else:
        torch.save(trap, path / "w.npz", _use_new_zipfile_serialization=form == "zip")
    assert read(path).weights == Path("w.npz")
    assert not canary.exists()


def test_reading_imports_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys, harness.submission; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    paths = os.pathsep.join(each for each in sys.path if each)
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": paths}, check=False).returncode == 0


def test_discover_tells_a_class_from_one_submission(tmp_path: Path) -> None:
    top = tmp_path / "class"
    alice(top / "zoe")
    zipped(top / "bob.zip", {"m.py": b"x"})
    tarred(top / "carl.v2.tar.gz", (member("m.py"), b"x"))
    (top / "eve.rar").write_text("x")
    (top / "grades.csv").write_text("x")
    (top / ".git").mkdir()
    (top / "__MACOSX").mkdir()
    bob, zoe = HandIn("bob", top / "bob.zip"), HandIn("zoe", top / "zoe")
    assert [each.id for each in discover([top])] == ["bob", "carl.v2", "eve", "zoe"]
    assert discover([top / "zoe"]) == [zoe]
    assert discover([top / "zoe", top / "bob.zip", top / "zoe"]) == [bob, zoe]
    assert [each.id for each in discover([top], mode="single")] == ["class"]
    (top / "dan.py").write_text("x")
    (top / "dan.pth").write_text("x")
    assert [each.id for each in discover([top])] == ["class"]
    assert [each.id for each in discover([top], mode="class")] == ["bob", "carl.v2", "dan", "eve", "zoe"]


def test_discover_refuses_what_is_missing_empty_or_doubled(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        discover([tmp_path / "nowhere"])
    with pytest.raises(UsageError, match="holds no submissions"):
        discover([folder(tmp_path / "empty")])
    alice(tmp_path / "class/bob")
    zipped(tmp_path / "class/bob.zip", {"m.py": b"x"})
    with pytest.raises(UsageError, match=r"'bob'.*bob and .*bob\.zip"):
        discover([tmp_path / "class"])


def test_two_with_one_id_are_left_out_and_the_others_found(tmp_path: Path) -> None:
    for name in ("bob", "bob.zip", "bob.tar.gz", "carol"):
        zipped(tmp_path / "class" / name, {"m.py": b"x"}) if "." in name else alice(tmp_path / "class" / name)
    # One name, written with one character or with two (Unicode's NFC and NFD).
    for name in ("Zo\u00e9", "Zoe\u0301"):
        alice(tmp_path / "class" / name)
    found = find([tmp_path / "class"])
    assert [each.id for each in found.hand_ins] == ["carol"]
    assert [each.split(":")[0] for each in found.left_out] == [
        "2 submissions have the id 'Zo\u00e9'", "3 submissions have the id 'bob'"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model_arguments = {x = 2020-01-01}", "model_arguments.x: a date or time"),
        ("model_arguments = {x = [1, 07:32:00]}", "model_arguments.x.1: a date or time"),
        (f"model_arguments = {{x = 0x{'f' * 20000}}}", "model_arguments.x: a whole number this large"),
        (f"input_size = {2**63}", "input_size: a whole number this large"),
        ("claims = {accuracy = inf}", "claims.accuracy: needs a finite number"),
        ("submitted_at = 9999-12-31T23:59:59-14:00", "submitted_at: value error, needs a year between 2000 and 2100"),
        ("submitted_at = 0001-01-01T00:00:00+14:00", "submitted_at: value error, needs a year between 2000 and 2100"),
        (f"{'a.' * 30000}a = 1", "a key has more than 64 dots"),
        ("#" * 70_000, "larger than 65,536 bytes"),
        ("x = " + "[" * 5000, "not valid TOML"),
    ],
)
def test_what_submission_toml_may_not_say_is_the_student_s_mistake(text: str, said: str) -> None:
    with pytest.raises(SubmissionError) as refused:
        parse_settings(text.encode())
    assert refused.value.status == "rejected"
    assert said in refused.value.reason


def test_links_that_multiply_are_refused(tmp_path: Path, read: Any) -> None:
    """Twice as many folders at every level, and nothing in any of them: git keeps this."""
    for depth in range(40):
        folder(tmp_path / "alice" / f"d{depth}")
        for side in "ab" if depth else "":
            (tmp_path / "alice" / f"d{depth}" / side).symlink_to(f"../d{depth - 1}")
    with pytest.raises(SubmissionError, match="20,000 files, folders and links"):
        read(tmp_path / "alice")


def test_many_folders_are_no_link_to_themselves(tmp_path: Path, read: Any) -> None:
    (tmp_path / "alice" / "/".join(["d"] * 70)).mkdir(parents=True)
    with pytest.raises(SubmissionError, match="more than 64 folders deep"):
        read(tmp_path / "alice")


def test_links_in_a_row_are_followed_up_to_a_limit(tmp_path: Path, read: Any) -> None:
    def chain(count: int) -> Path:
        members = [member(f"l{number:04}", tarfile.SYMTYPE, f"l{number + 1:04}") for number in range(count)]
        path = tmp_path / f"{count}.tar.gz"
        tarred(path, (member(f"l{count:04}"), b"x"), *((each, b"") for each in members))
        return path

    started = time.process_time()
    assert len(names(read(chain(30), ReadLimits()))) == 31
    with pytest.raises(SubmissionError, match="leads nowhere"):
        read(chain(3000), ReadLimits())
    assert time.process_time() - started < 10


def test_a_full_disk_is_not_the_archive_s_fault(tmp_path: Path, read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    zipped(tmp_path / "bob.zip", {"m.py": b"x"})
    original = Path.open

    def full(self: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if "w" in mode:
            raise OSError(errno.ENOSPC, "No space left on device", str(self))
        return original(self, mode, *rest, **more)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OSError, match="No space left"):
        read(tmp_path / "bob.zip")


@settings(max_examples=80)
@given(data=st.data())
def test_damaged_archives_are_read_or_refused(tmp_path: Path, read: Any, data: st.DataObject) -> None:
    suffix = data.draw(st.sampled_from([".zip", ".tar", ".tar.gz"]))
    path = tmp_path / f"a{suffix}"
    files = {"t/m.py": b"x = 1\n" * 20, "t/w.pkl": WEIGHTS}
    if suffix == ".zip":
        zipped(path, files)
    else:
        tarred(path, *((member(name), content) for name, content in files.items()))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.integers(len(content) // 3, len(content)))]))
    try:
        found = read(path)
    except SubmissionError:
        return
    assert found.folder.is_relative_to(tmp_path / "scratch")
    assert all(each.is_file() or each.is_dir() for each in found.folder.rglob("*"))


@settings(max_examples=100)
@given(content=st.binary(max_size=200), head=st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06", b"\x80\x04", b"{}"]))
def test_recognising_any_bytes_never_fails(content: bytes, head: bytes) -> None:
    file: BinaryIO = io.BytesIO(head + content)
    for each in FORMATS.values():
        assert each.recognises(file) in {True, False}
