"""A throw-away PostgreSQL cluster: in a folder of its own, reached through a socket there, gone with the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from requirements import lacking

_START_SECONDS = 60


@dataclass
class Cluster:
    folder: Path
    databases: int = 0

    def url(self) -> str:
        """Of a fresh, empty database."""
        self.databases += 1
        name = f"test_{self.databases}"
        import psycopg

        with psycopg.connect(dbname="postgres", user="harness", host=str(self.folder), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://harness@/{name}?host={self.folder}"


@contextmanager
def running() -> Iterator[Cluster]:
    """Start one; skips the test where PostgreSQL is not installed, unless HARNESS_REQUIRE_ALL=1, which fails it."""
    tools = _tools()
    if tools is None:
        lacking("PostgreSQL is not installed: apt-get install postgresql")
    # Not below pytest's folder, which is closed to the ordinary user PostgreSQL insists on; and sockets want short paths.
    folder = Path(tempfile.mkdtemp(prefix="harness-pg-", dir="/tmp"))
    user: dict[str, Any] = {}
    if os.geteuid() == 0:
        user = {"user": "postgres", "group": "postgres", "extra_groups": []}
        shutil.chown(folder, "postgres", "postgres")

    def run(*command: str | Path) -> None:
        done = subprocess.run(
            [str(each) for each in command],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=_START_SECONDS,
            stdin=subprocess.DEVNULL,
            **user,
        )
        assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"

    data, log = folder / "data", folder / "log"
    try:
        run(tools / "initdb", "-D", data, "-U", "harness", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        # No network, and nothing that has to survive a power cut.
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
        run(tools / "pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "start")
        try:
            yield Cluster(folder)
        finally:
            run(tools / "pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tools() -> Path | None:
    """Debian keeps the server's programs off the PATH, by version."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None
