"""One run of grading per backend and kind of user, in a process of its own.

All attacks run once, behind namespaces as an ordinary user; the other backend and the other user see a sample of them,
or all with HARNESS_HOSTILE=all, which adds the other user behind the other backend.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hostile_class import Attack, attacks, chosen
from requirements import lacking

from harness.vocabulary import WALLS

BACKENDS = [name for name in WALLS if name != "none"]
USERS = ["ordinary", "root"] if os.getuid() == 0 else ["ordinary"]
_EVERY = os.environ.get("HARNESS_HOSTILE") == "all"
_COMBINATIONS = [(backend, user) for backend in BACKENDS for user in USERS]
ARENAS = [each for each in _COMBINATIONS if _EVERY or BACKENDS[0] == each[0] or USERS[0] == each[1]]
_SUPPORT = Path(__file__).parent
_ORDINARY_UID = 54321
_RUN_SECONDS = 400


class Arena:
    """Runs `hostile_run.py` as one user with one sandbox, once per mode, and keeps what it left until the end."""

    def __init__(self, backend: str, user: str) -> None:
        self.backend, self.user = backend, user
        self.uid = _ORDINARY_UID if user == "ordinary" and os.getuid() == 0 else os.getuid()
        self._done: dict[str, Any] = {}
        self._folders: list[Path] = []

    @property
    def whole(self) -> bool:
        return (self.backend, self.user) == ARENAS[0] or _EVERY

    def attacks(self) -> list[Attack]:
        return attacks() if self.whole else chosen()

    def graded(self) -> dict[str, Any]:
        """The outcome of grading its attacks."""
        return self.run("grade" if self.whole else "sample")

    def run(self, mode: str) -> dict[str, Any]:
        """The outcome, computed once; skips where the sandbox does not work."""
        if mode not in self._done:
            self._done[mode] = self._outcome(mode)
        outcome = self._done[mode]
        if isinstance(outcome, str):
            lacking(outcome)
        return outcome

    def folder(self) -> Path:
        """An empty one that its user may write to, short enough for a Unix socket."""
        folder = Path(tempfile.mkdtemp(prefix="hostile-", dir="/tmp"))
        self._folders.append(folder)
        os.chown(folder, self.uid, self.uid) if self.uid != os.getuid() else None
        folder.chmod(0o755)
        return folder

    def close(self) -> None:
        for each in self._folders:
            shutil.rmtree(each, ignore_errors=True)

    def _outcome(self, mode: str) -> dict[str, Any] | str:
        folder = self.folder()
        # A machine that refuses namespaces is what the level without them is for.
        wanted = {"uid": self.uid, "namespaces": self.backend != "landlock", "readable": []}
        command = [sys.executable, _SUPPORT / "hostile_user.py", json.dumps(wanted)]
        command += [_SUPPORT / "hostile_run.py", mode, folder, self.backend]
        environment = {**os.environ, "HOSTILE_PARENT": "a secret of whoever started the grader", "USER": "hostile"}
        done = subprocess.run(
            [*map(str, command)],
            check=False,
            env=environment,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=_RUN_SECONDS,
        )
        if done.returncode in {3, 4}:
            return f"{self.backend} as {self.user}: {done.stderr.strip()}"
        assert done.returncode == 0, done.stderr[-4000:]
        outcome: dict[str, Any] = json.loads((folder / "outcome.json").read_text())
        return {**outcome, "folder": folder, "said": done.stdout + done.stderr}
