"""Read what was handed in, one entry at a time, from a folder or as a single file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from harness.errors import SubmissionError, of_machine
from harness.submission.entries import LINK_HINT, ArchiveEntry, escape, is_noise, moment, require_regular, shown

_MOST_ITEMS = 20_000
_MOST_FOLDERS_DEEP = 64


def folder_entries(folder: Path) -> Iterator[ArchiveEntry]:
    """Regular files below `folder`; links that stay inside are followed."""
    root = folder.resolve()
    yield from _walk(root, root, (), (root,), iter(range(_MOST_ITEMS)))


def _walk(
    root: Path, folder: Path, parts: tuple[str, ...], above: tuple[Path, ...], left: Iterator[int]
) -> Iterator[ArchiveEntry]:
    """Args: left: as many items as may still be looked at; links to folders of links multiply them."""
    for item in sorted(os.scandir(folder), key=lambda each: each.name):
        here = (*parts, escape(item.name))
        if is_noise(here):
            continue
        if next(left, None) is None:
            reason = f"more than {_MOST_ITEMS:,} files, folders and links, counting what links lead to"
            raise SubmissionError.rejected(reason, "leave out data sets, and replace links by files")
        path = _followed(root, Path(item.path), here)
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            if path in above:
                raise SubmissionError.rejected(f"{shown(here)} is a link to a folder that contains it", LINK_HINT)
            if len(here) > _MOST_FOLDERS_DEEP:
                reason = f"{shown(here[:3])[:-1]}/…' is more than {_MOST_FOLDERS_DEEP} folders deep"
                raise SubmissionError.rejected(reason, "use fewer folders inside each other")
            yield from _walk(root, path, here, (*above, path), left)
        else:
            require_regular(mode, here)
            yield _file(path, here)


def _followed(root: Path, path: Path, parts: tuple[str, ...]) -> Path:
    if not path.is_symlink():
        return path
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        if of_machine(error) is not None:
            raise
        raise SubmissionError.rejected(f"{shown(parts)} is a link that leads nowhere", LINK_HINT) from error
    if not target.is_relative_to(root):
        raise SubmissionError.rejected(f"{shown(parts)} is a link that leaves the submission", LINK_HINT)
    return target


def _file(path: Path, parts: tuple[str, ...]) -> ArchiveEntry:
    state = path.stat()
    return ArchiveEntry(parts, state.st_size, lambda: _open_regular(path), modified=moment(state.st_mtime))


def _open_regular(path: Path) -> IO[bytes]:
    # Neither a link nor a pipe that took the file's place may be followed or block us.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    require_regular(os.fstat(descriptor).st_mode, (path.name,))
    return os.fdopen(descriptor, "rb")


def file_entry(path: Path) -> ArchiveEntry:
    """A single file, as the entry of that name."""
    parts = (escape(path.name),)
    target = path.resolve()
    require_regular(target.stat().st_mode, parts)
    return _file(target, parts)
