"""What the machine that grades does wrong is told as that, and never as a mistake of the harness or of a student."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli import main
from harness.errors import MachineError, of_machine


def a_full_disk() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        full.write(b"1")


def too_many_files() -> None:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def a_library_without_room() -> None:
    raise ImportError("libtorch_cpu.so: failed to map segment from shared object")


def a_thread_too_many() -> None:
    raise RuntimeError("can't start new thread")


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (a_full_disk, "No space left on device"),
        (too_many_files, "Too many open files"),
        (a_library_without_room, "it has no memory left"),
        (a_thread_too_many, "it starts no more threads"),
    ],
)
def test_the_machine_s_failures_end_a_command_with_a_sentence(cause, said, monkeypatch) -> None:
    with pytest.raises((OSError, ImportError, RuntimeError)) as raised:
        cause()
    assert str(of_machine(raised.value)) == said
    monkeypatch.setattr("harness.plugins.Plugins.installed", lambda *_, **__: cause())
    run = CliRunner().invoke(main, ["plugins"])
    assert run.exit_code == 2
    assert run.stderr == f"Error: this machine failed: {said}; repair that, and run the command again\n"


def test_what_is_no_failure_of_the_machine_is_none() -> None:
    for error in (ValueError("No space left on device"), FileNotFoundError(errno.ENOENT, "x"), ImportError("no x")):
        assert of_machine(error) is None
    same = MachineError("x")
    assert of_machine(same) is same
