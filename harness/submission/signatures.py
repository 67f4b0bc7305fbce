"""Tell whether files may have changed without reading them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path


def file_signature(paths: Iterable[Path]) -> str:
    """A digest of names, sizes, times and numbers of these files and of all that lie below these folders; however the
    way to them is spelled.

    Writing to a file, replacing, renaming, adding or removing one changes it. So does copying a folder: then the files
    have to be read to learn that they are the same.

    Raises:
        OSError: one of them cannot be looked at.
    """
    digest = hashlib.sha256()
    for path in sorted(paths, key=os.fsencode):
        for each in sorted((path, *_below(path)), key=os.fsencode):
            seen = each.stat(follow_symlinks=False)
            told = f"{seen.st_size} {seen.st_mtime_ns} {seen.st_ctime_ns} {seen.st_ino} {seen.st_dev} {seen.st_mode}"
            name = os.fsencode(path.name) + b"\0" + os.fsencode(each.relative_to(path))
            digest.update(name + b"\0" + told.encode() + b"\0")
    return digest.hexdigest()


def _below(path: Path) -> list[Path]:
    if not path.is_dir() or path.is_symlink():
        return []
    walk = os.walk(path, onerror=_raise)
    return [Path(folder, name) for folder, folders, files in walk for name in (*folders, *files)]


def _raise(error: OSError) -> None:
    raise error
