"""Remember that a wall held, until anything changes that could make it not hold.

A record is a file in the user's cache folder, named after all that the self-test's outcome depends on: this boot of
this kernel, the harness's own code, the interpreter, bubblewrap, and every setting of the wall. Only success is kept. A
record counts only if nobody but the user could have written it: whoever can, can change the harness as well.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from harness import version
from harness.sandbox.mother import ENVIRONMENT
from harness.sandbox.walls import Wall

_PACKAGE = Path(__file__).parents[1]
_KEPT_SECONDS_AGO = 30 * 24 * 3600


def holds(wall: Wall) -> bool:
    """Whether this very wall was tested before, and held."""
    record = _record(wall)
    try:
        kept = record.lstat()
        return stat.S_ISREG(kept.st_mode) and _ours_alone(kept) and _private(record.parent)
    except OSError:
        return False


def keep(wall: Wall) -> None:
    """Remember that it held, if there is a place for it."""
    record = _record(wall)
    with contextlib.suppress(OSError):
        record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _private(record.parent):
            os.close(os.open(record, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            _tidy(record.parent, record)


def forget(wall: Wall) -> None:
    """It did not hold."""
    with contextlib.suppress(OSError):
        _record(wall).unlink()


def _record(wall: Wall) -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or ""
    place = Path(cache) if Path(cache).is_absolute() else Path.home() / ".cache"
    digest = hashlib.sha256(json.dumps([*_depends_on(wall)]).encode())
    return place / "compress-harness" / f"sandbox-{wall.name}-{digest.hexdigest()}"


def _depends_on(wall: Wall) -> Iterator[object]:
    box, kernel = Path("/box"), os.uname()
    yield from (version.__version__, kernel.sysname, kernel.release, kernel.version, kernel.machine, os.geteuid())
    yield from (_text("/proc/sys/kernel/random/boot_id"), sys.version, sorted(ENVIRONMENT.items()))
    # Other namespaces than at the last time: another container of the same boot.
    yield from (_link(f"/proc/self/ns/{each}") for each in ("user", "mnt", "pid", "net"))
    yield from (_text("/proc/self/uid_map"), _status("Seccomp:"), _status("CapEff:"), _status("NoNewPrivs:"))
    command = wall.command([sys.executable], box, {})
    yield from (command, wall.user, wall.reusable, wall.promises, wall.locks(box))
    files = [Path(command[0]), Path(sys.executable).resolve()]
    files += sorted(each for part in ("sandbox", "worker") for each in (_PACKAGE / part).glob("*.py"))
    yield from (_version(each) for each in files)


def _version(file: Path) -> tuple[str, int, int]:
    try:
        found = file.stat()
    except OSError:
        return str(file), 0, 0
    return str(file), found.st_size, found.st_mtime_ns


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""


def _status(name: str) -> str:
    return next((line for line in _text("/proc/self/status").splitlines() if line.startswith(name)), "")


def _private(folder: Path) -> bool:
    """Whether the folder is a real one, and neither it nor what lies above it can be replaced by others."""
    for each in (folder, *folder.parents):
        found = each.lstat() if each == folder else each.stat()
        if each == folder and not (stat.S_ISDIR(found.st_mode) and _ours_alone(found)):
            return False
        others_write = bool(found.st_mode & 0o022) and not found.st_mode & stat.S_ISVTX
        if others_write or found.st_uid not in (0, os.geteuid()):
            return False
    return True


def _ours_alone(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _tidy(folder: Path, newest: Path) -> None:
    """Earlier boots and versions leave records behind."""
    for each in folder.glob("sandbox-*"):
        if each != newest and newest.stat().st_mtime - each.lstat().st_mtime > _KEPT_SECONDS_AGO:
            each.unlink()
