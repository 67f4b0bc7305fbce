"""Look into zip archives without unpacking them."""

from __future__ import annotations

import contextlib
import struct
import zipfile
from collections.abc import Iterator
from typing import BinaryIO

from harness.api.worker import zip_directory_bytes

_DIRECTORY_LIMIT_BYTES = 2 << 20


def zip_names(file: BinaryIO) -> frozenset[str]:
    """The names in an archive; none where it is no archive."""
    file.seek(0)
    if file.read(2) != b"PK":
        return frozenset()
    with opened_zip(file) as archive:
        return frozenset(archive.namelist() if archive else ())


@contextlib.contextmanager
def opened_zip(file: BinaryIO) -> Iterator[zipfile.ZipFile | None]:
    """The archive, or None when its directory is damaged or absurdly long."""
    archive = None
    if zip_directory_bytes(file) <= _DIRECTORY_LIMIT_BYTES:
        with contextlib.suppress(zipfile.BadZipFile, ValueError, OSError, struct.error, NotImplementedError):
            archive = zipfile.ZipFile(file)
    yield archive
