"""Hand-ins are read in a process of its own: what keeps it busy or breaks it costs that hand-in only."""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from harness.errors import Cancelled, HarnessError, SubmissionError
from harness.plugins import Plugins
from harness.sandbox.reader import Reader
from harness.submission.discovery import submission_id
from harness.submission.hand_in import HandIn
from harness.submission.reading import ReadLimits, Submission, read_submission

FORMATS = Plugins.installed().weight_format_modules


@pytest.fixture
def reader() -> Iterator[Reader]:
    one = Reader()
    yield one
    one.close()


def read(reader: Reader, path: Path, seconds: float = 20, stopping: threading.Event | None = None) -> Submission:
    scratch = path.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    limits, stopping = ReadLimits(), stopping or threading.Event()
    return reader.read(HandIn(submission_id(path), path), scratch, FORMATS, limits, seconds=seconds, stopping=stopping)


def honest(folder: Path) -> Path:
    folder.mkdir()
    (folder / "model.py").write_text("class Net: pass\n")
    (folder / "submission.toml").write_text('nickname = "é"\nmodel_arguments = {x = 1, y = [0.5, "a"]}\n')
    return folder


def test_it_reads_what_is_read_in_this_process(reader: Reader, tmp_path: Path) -> None:
    found = read(reader, honest(tmp_path / "alice"))
    (tmp_path / "here").mkdir()
    here = read_submission(
        HandIn("alice", tmp_path / "alice"), tmp_path / "here", Plugins.installed().weight_formats, ReadLimits()
    )
    for name in ("id", "digest", "sources", "weights", "settings", "members", "submitted_at", "notes"):
        assert getattr(found, name) == getattr(here, name)
    assert (found.folder / "model.py").read_text() == "class Net: pass\n"


def test_a_path_is_as_its_user_wrote_it(reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest(tmp_path / "alice")
    monkeypatch.chdir(tmp_path)
    assert read(reader, Path("alice")).sources == (Path("model.py"),)


def test_names_that_are_no_text_are_read(reader: Reader, tmp_path: Path) -> None:
    folder = honest(tmp_path / os.fsdecode(b"caf\xe9"))
    assert [each.name for each in read(reader, folder).sources] == ["model.py"]


def test_one_process_serves_a_class_and_tells_what_is_wrong(reader: Reader, tmp_path: Path) -> None:
    process = reader._process.pid
    (tmp_path / "empty").mkdir()
    for _ in range(2):
        with pytest.raises(SubmissionError, match="empty"):
            read(reader, tmp_path / "empty")
    assert read(reader, honest(tmp_path / "bob")).id == "bob"
    assert reader._process.pid == process
    assert reader.alive


def test_what_keeps_it_busy_is_stopped(reader: Reader, tmp_path: Path) -> None:
    os.kill(reader._process.pid, signal.SIGSTOP)  # as if it never came to an end
    with pytest.raises(SubmissionError, match=r"0\.5 s") as stopped:
        read(reader, honest(tmp_path / "alice"), seconds=0.5)
    assert stopped.value.status == "timed_out"
    assert not reader.alive


def test_a_hand_in_that_takes_too_much_memory_is_told_so(reader: Reader, tmp_path: Path) -> None:
    folder = honest(tmp_path / "alice")
    read(reader, folder)
    (folder / "weights.bin").write_bytes(bytes(3 << 20))
    now = psutil.Process(reader._process.pid).memory_info().vms + (64 << 10)
    resource.prlimit(reader._process.pid, resource.RLIMIT_AS, (now, now))
    with pytest.raises(SubmissionError) as ended:
        read(reader, folder)
    assert ended.value.status == "out_of_memory"


def test_a_run_that_is_stopped_does_not_wait(reader: Reader, tmp_path: Path) -> None:
    stopping = threading.Event()
    os.kill(reader._process.pid, signal.SIGSTOP)
    threading.Timer(0.2, stopping.set).start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        read(reader, honest(tmp_path / "alice"), stopping=stopping)
    assert time.monotonic() - started < 5


def test_a_process_that_died_is_our_failure(reader: Reader, tmp_path: Path) -> None:
    os.kill(reader._process.pid, signal.SIGKILL)
    with pytest.raises(HarnessError, match="ended with code -9") as died:
        read(reader, honest(tmp_path / "alice"))
    assert not isinstance(died.value, SubmissionError)
    assert not reader.alive
