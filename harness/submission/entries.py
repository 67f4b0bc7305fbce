"""Define the entries of a hand-in: files and links, under names that are fit for any file system and terminal."""

from __future__ import annotations

import stat
import unicodedata
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO

from harness.errors import SubmissionError
from harness.values.base import YEARS

_NOISE = frozenset(
    {
        *("__macosx", ".ds_store", "thumbs.db", "desktop.ini"),
        *(".git", ".svn", ".hg", ".idea", ".vscode"),
        *("venv", ".venv", "virtualenv", "site-packages", "node_modules"),
        *("__pycache__", ".ipynb_checkpoints", ".mypy_cache", ".ruff_cache", ".pytest_cache"),
    }
)

LINK_HINT = "replace the link by the file itself"


@dataclass(frozen=True, slots=True)
class ArchiveEntry:
    """A regular file or a link of a hand-in.

    Attributes:
        parts: cleaned relative path; no absolute names, no `..`.
        bytes_declared: size according to the container.
        open: opens the content; None for links.
        target: parts of the file or folder a link points to, relative to the top.
        modified: time of the last change, if the container states a plausible one.
    """

    parts: tuple[str, ...]
    bytes_declared: int
    open: Callable[[], AbstractContextManager[IO[bytes]]] | None
    target: tuple[str, ...] | None = None
    modified: datetime | None = None


def is_noise(parts: tuple[str, ...]) -> bool:
    """Whether a path belongs to an operating system, an editor or a virtual environment, not to the work."""
    return any(part.lower() in _NOISE or part.startswith("._") for part in parts)


def escape(text: str) -> str:
    r"""`text` with control characters and undecodable bytes written as `\x..`, fit for terminals and JSON."""
    text = unicodedata.normalize("NFC", text)
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def require_regular(mode: int, parts: tuple[str, ...]) -> None:
    """Refuse what is no file by its mode."""
    if not stat.S_ISREG(mode):
        raise SubmissionError.rejected(f"{shown(parts)} is a device, pipe or socket, not a file")


def clean_parts(name: str) -> tuple[str, ...]:
    """A name in an archive, as `ArchiveEntry.parts`; refused if it leads out of the archive."""
    if name.startswith("/") or (name[1:3] in {":/", ":\\"} and name[:1].isalpha()):
        raise SubmissionError.rejected(f"the archive holds an absolute name: {escape(name)!r}", _NAME_HINT)
    parts = tuple(escape(each) for each in name.split("/") if each not in {"", "."})
    if ".." in parts:
        raise SubmissionError.rejected(f"the archive holds a name that leaves it: {escape(name)!r}", _NAME_HINT)
    return parts


_NAME_HINT = "pack the folder itself: names in the archive must be relative and stay inside it"


def link_target(parts: tuple[str, ...], target: str) -> tuple[str, ...]:
    """What a link in an archive points to, as `ArchiveEntry.target`; refused if it leads out of the archive."""
    found = list(parts[:-1])
    for each in target.split("/"):
        if each == ".." and found:
            found.pop()
        elif each == ".." or target.startswith("/"):
            raise SubmissionError.rejected(f"{shown(parts)} is a link that leaves the submission", LINK_HINT)
        elif each not in {"", "."}:
            found.append(escape(each))
    return tuple(found)


def shown(parts: tuple[str, ...]) -> str:
    """A path as messages say it."""
    return repr("/".join(parts)) if parts else "the folder"


def moment(seconds: float) -> datetime | None:
    """A time in seconds since 1970, if it is a plausible one."""
    try:
        return plausible(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError):
        return None


def plausible(moment: datetime) -> datetime | None:
    """The time, unless it stands for none."""
    # Zips written without times say 1980, tars 1970.
    return moment if moment.year in YEARS else None
