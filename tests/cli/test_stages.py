"""A spinner is there at once on a terminal, and nowhere else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

CODE = "from harness.terminal.stages import Stages\nwith Stages('reading') as stages: stages.enter('tracing')"


@pytest.mark.parametrize(("changes", "shown"), [({}, True), ({"CI": "true"}, False), ({"TERM": "dumb"}, False)])
def test_frames_are_for_terminals_of_people(changes: dict[str, str], shown: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in {"CI", "NO_COLOR", "FORCE_COLOR"}}
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-c", CODE],
        env={**environment, "TERM": "xterm", **changes},
        stderr=theirs,
        check=True,
        timeout=60,
    )
    os.write(theirs, b"|")
    said = os.read(ours, 65536)
    os.close(ours)
    os.close(theirs)
    assert (b"reading" in said) is shown


def test_logs_hold_no_frames() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env={**os.environ, "FORCE_COLOR": "1"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == b""
