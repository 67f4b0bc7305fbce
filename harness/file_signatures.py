"""Tell whether files may have changed without reading them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path


def file_signature(path: Path) -> str:
    """A digest of names, sizes, times and numbers of all files below a path, or of the one at it.

    Writing to a file, replacing, renaming, adding or removing one changes it. So does copying the folder: then the
    files have to be read to learn that they are the same.

    Raises:
        OSError: a folder cannot be listed.
    """
    digest = hashlib.sha256()
    for each in sorted(_found(path), key=os.fsencode):
        seen = each.stat(follow_symlinks=False)
        told = f"{seen.st_size} {seen.st_mtime_ns} {seen.st_ctime_ns} {seen.st_ino} {seen.st_dev} {seen.st_mode}"
        digest.update(os.fsencode(each.relative_to(path)) + b"\0" + told.encode() + b"\0")
    return digest.hexdigest()


def _found(path: Path) -> Iterator[Path]:
    yield path
    for folder, folders, files in os.walk(path, onerror=_raise):
        yield from (Path(folder, name) for name in (*folders, *files))


def _raise(error: OSError) -> None:
    raise error
