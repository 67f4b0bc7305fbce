"""Define walls, and build the two that need no other program: Landlock's and none at all."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from harness.errors import SandboxUnavailable
from harness.sandbox.syscalls import compiled
from harness.sandbox.visible_paths import hidden_paths, unreachable, visible_paths
from harness.worker.kernel import FULL_ABI, READ_EVERYTHING, landlock_abi

ORDINARY_USER = 65534
"""`nobody`: what workers become when root grades."""


class Wall(Protocol):
    """How a zygote is started and which locks its workers put on."""

    @property
    def name(self) -> str: ...

    @property
    def reusable(self) -> bool:
        """Whether a worker that broke out of nothing can still not touch its zygote, so that it serves the next one."""

    @property
    def namespaces(self) -> bool:
        """Whether a zygote has to be inside of what `command` builds, rather than only to lock its workers."""

    @property
    def promises(self) -> str:
        """For people, in a line."""

    @property
    def user(self) -> int | None:
        """The number of the user its workers become; None where they stay who grades."""

    def command(self, argv: Sequence[str], box: Path, environment: dict[str, str]) -> list[str]: ...

    def inside(self, box: Path) -> Path:
        """Where the workers see the box."""

    def locks(self, box: Path) -> dict[str, Any]:
        """`capabilities`, `readable` and `seccomp`, see `harness.worker.zygote.run`."""


@dataclass(frozen=True)
class NoWall:
    """No wall: the student's code runs as the user who grades. Clock and memory are still watched."""

    name: str = "none"
    reusable: bool = True
    promises: str = "explicit choice only: limits, but no wall"
    user: int | None = None
    namespaces: bool = False

    def command(self, argv: Sequence[str], box: Path, environment: dict[str, str]) -> list[str]:  # noqa: ARG002
        return list(argv)

    def inside(self, box: Path) -> Path:
        return box

    def locks(self, box: Path) -> dict[str, Any]:  # noqa: ARG002
        return {"capabilities": 0, "readable": None, "seccomp": None}


@dataclass(frozen=True)
class LandlockWall:
    """Landlock, a system-call filter and resource limits; needs no namespaces and no other program."""

    program: bytes
    closed: Path | None = None
    """A folder on the way to Python that an ordinary user may not enter. Workers of root then keep the one capability
    to read in spite of permission bits; the rules still let them open nothing but what they list."""
    user: int | None = None
    name: str = "landlock"
    reusable: bool = True
    namespaces: bool = False

    @property
    def promises(self) -> str:
        promised = "reads Python and one submission, writes nothing, no network, no new process, no signals"
        if self.closed is None:
            return promised
        return f"{promised}; permission bits do not hide sizes and names of files, as Python lies in {self.closed}"

    def command(self, argv: Sequence[str], box: Path, environment: dict[str, str]) -> list[str]:  # noqa: ARG002
        return list(argv)

    def inside(self, box: Path) -> Path:
        return box

    def locks(self, box: Path) -> dict[str, Any]:
        return {
            "capabilities": READ_EVERYTHING if self.closed is not None else 0,
            "readable": [*map(str, readable_paths()), str(box)],
            "seccomp": base64.b64encode(self.program).decode(),
        }


def landlock_wall() -> LandlockWall:
    """The wall of Landlock.

    Raises:
        SandboxUnavailable: the kernel or libseccomp is missing something; says what.
    """
    abi = landlock_abi() if os.name == "posix" and os.uname().sysname == "Linux" else 0
    if abi < FULL_ABI:
        have = f"version {abi}" if abi else "none, or it is not enabled"
        raise SandboxUnavailable(f"Landlock {FULL_ABI} is needed (Linux 6.12), this kernel has {have}")
    closed = unreachable(visible_paths()) if os.geteuid() == 0 else None
    return LandlockWall(compiled(), closed, workers_user())


def workers_user() -> int | None:
    """Whom workers become: never root."""
    return ORDINARY_USER if os.geteuid() == 0 else None


def readable_paths() -> list[Path]:
    """`visible_paths` for rules that can only add: of a folder with something hidden in it, what else it holds."""
    hidden = set(hidden_paths())
    paths: list[Path] = []
    for path in visible_paths():
        inside = {each for each in hidden if each.is_relative_to(path)}
        paths += _without(path, inside) if inside else [path]
    return paths


def _without(folder: Path, hidden: set[Path]) -> list[Path]:
    paths: list[Path] = []
    for child in sorted(folder.iterdir()):
        inside = {each for each in hidden if each.is_relative_to(child)}
        if not inside:
            paths.append(child)
        elif child not in inside:
            paths += _without(child, inside)
    return paths
