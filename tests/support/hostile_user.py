"""Becomes an ordinary user, or one to whom namespaces are refused as in a container, then runs a Python script.

    python hostile_user.py '{"uid": 54321, "namespaces": false, "readable": ["/folder"]}' SCRIPT ARGUMENT…

Needs root for another uid. Where Python or the project lie in a folder that only root may enter, a private view of the
file system shows just them there. Exit code 4: such a view cannot be had; the reason is on standard error.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000
_NAMESPACES = 0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x10000000 | 0x20000000 | 0x40000000


def main() -> None:
    wanted = json.loads(sys.argv[1])
    uid = wanted["uid"]
    if uid != os.getuid():
        _show_what_is_needed(wanted["readable"])
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    if not wanted["namespaces"]:
        _refuse_namespaces()
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])


def _show_what_is_needed(more: Iterable[str]) -> None:
    needed = {Path(each) for each in (sys.prefix, sys.base_prefix, *sys.path[1:], *more) if Path(each).exists()}
    needed |= {Path(__file__).parents[2], Path(sys.executable).resolve().parent}
    shut = {ancestor for path in needed for ancestor in _shut_ancestors(path)}
    if not shut:
        return
    _checked("a mount namespace", _libc.unshare(_CLONE_NEWNS))
    _mount(b"none", Path("/"), None, _MS_REC | _MS_PRIVATE)
    covered = {path for path in needed if any(path.is_relative_to(each) for each in shut)}
    inside = {path: os.open(path, os.O_PATH) for path in covered}
    # From the outside in: what is shut becomes an empty folder, and what is needed is put back where it was.
    for path in sorted(shut | covered):
        path.mkdir(parents=True, exist_ok=True)
        if path in shut:
            _mount(b"tmpfs", path, b"tmpfs", 0)
        if path in covered:
            _mount(f"/proc/self/fd/{inside[path]}".encode(), path, None, _MS_BIND | _MS_REC)


def _shut_ancestors(path: Path) -> Iterator[Path]:
    """Folders on the way to a path, through its links, that others may not enter."""
    for each in {*path.parents, *path.resolve().parents}:
        if not each.stat().st_mode & 0o001:
            yield each


def _mount(source: bytes, target: Path, kind: bytes | None, flags: int) -> None:
    _checked(f"a private view of {target}", _libc.mount(source, os.fsencode(target), kind, flags, None))


def _checked(what: str, result: int) -> None:
    if result != 0:
        sys.stderr.write(f"{what} cannot be had: {os.strerror(ctypes.get_errno())}\n")
        sys.exit(4)


def _refuse_namespaces() -> None:
    """What the default profiles of container runtimes do. Everything else stays allowed, also other interfaces."""
    import pyseccomp as seccomp

    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    rules.set_attr(seccomp.Attr.ACT_BADARCH, seccomp.ALLOW)
    refused = seccomp.ERRNO(1)
    for name in ("unshare", "setns", "mount", "umount2", "pivot_root"):
        rules.add_rule(refused, name)
    for flag in (1 << bit for bit in range(64) if _NAMESPACES >> bit & 1):
        rules.add_rule(refused, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, flag, flag))
    rules.add_rule(seccomp.ERRNO(38), "clone3")
    rules.load()


if __name__ == "__main__":
    main()
