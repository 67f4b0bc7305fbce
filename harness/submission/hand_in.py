"""Define what one person or team handed in, as files found and not yet read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from harness.submission.entries import escape


@dataclass(frozen=True, slots=True)
class Part:
    """A file or folder of a download.

    Attributes:
        source: its path in the download.
        name: what it is called in the submission; empty for a folder whose content is the submission.
        original: the name with the number Canvas may have put into it; empty where that is `name`.
    """

    source: str
    name: str = ""
    original: str = ""


@dataclass(frozen=True, slots=True)
class HandIn:
    """A submission that was found but not read.

    Attributes:
        id: stable and printable; in a download the person's id.
        path: the submission itself; or the download that holds `parts` of it.
        parts: None where `path` is the submission.
        members: who handed it in, as far as the platform says.
        accounts: what else the platform knows each of them by: student numbers, e-mail addresses.
        late: whether the platform marks it so; None where it marks nothing.
        submitted_at: None where the platform does not say.
        notes: what was coped with to find it.
    """

    id: str
    path: Path
    parts: tuple[Part, ...] | None = None
    members: tuple[str, ...] = ()
    late: bool | None = None
    submitted_at: datetime | None = None
    notes: tuple[str, ...] = ()
    accounts: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What lies at the paths given to `grade`."""

    hand_ins: tuple[HandIn, ...]
    """One of each id."""
    left_out: tuple[str, ...] = ()
    """Sentences on what is not graded because nobody can tell whose it is."""
    people: int = 0
    """In a bulk download: who of the platform handed in something, students or groups."""
    files: int = 0
    """In a bulk download: files and folders in it."""
    unmatched: tuple[str, ...] = ()
    """Those of them whose names do not say whose they are; what looks like a hand-in is graded under its own name."""


def _file_name(text: str) -> str:
    return "file" if text in {"", ".", ".."} else escape(text)
