"""Read what was handed in, one entry at a time, from an archive.

Every reader yields `ArchiveEntry` values and unpacks nothing by itself; `harness.submission.staging` decides what is
copied and how much. Archive readers trust no header: declared sizes are only a reason to refuse early, and the bytes
that really come out are counted by whoever reads them.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, BinaryIO, cast

from harness.errors import SubmissionError, of_machine
from harness.submission.entries import (
    ArchiveEntry,
    clean_parts,
    escape,
    is_noise,
    link_target,
    moment,
    plausible,
    require_regular,
    shown,
)
from harness.text import encoding_of

ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")
UNREADABLE_SUFFIXES = (".tar.bz2", ".tar.xz", ".tbz2", ".txz", ".rar", ".7z")
"""Archives that students do send; found, so that they are refused by name rather than overlooked."""

_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, struct.error)
_UNPACKABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_DIRECTORY_LIMIT_BYTES = 16 << 20
_HEADER_LIMIT_BYTES = 1 << 20


def archive_suffix(path: Path) -> str | None:
    """The suffix that marks `path` as an archive, readable or not, as it is written."""
    name = path.name.lower()
    if path.stem.lower().endswith((".pth", ".pt", ".ckpt")):
        return None  # `checkpoint.pth.tar` is torch's own custom for a file that is no tar
    found = next((each for each in ARCHIVE_SUFFIXES + UNREADABLE_SUFFIXES if name.endswith(each)), None)
    return path.name[-len(found) :] if found and len(found) < len(name) else None


def is_work_name(name: str) -> bool:
    """Whether a file beside others in a download is called like something that is handed in."""
    return name.lower().endswith((".py", ".ipynb")) or archive_suffix(Path(name)) is not None


def archive_entries(path: Path, limit_bytes: int) -> Iterator[ArchiveEntry]:
    """Files and links of a zip or (gzipped) tar, told apart by content.

    Raises:
        SubmissionError: the archive is broken, encrypted, of another kind, or holds names or entries that a
            submission has no use for. Reading an entry may raise the errors that `broken` translates.
    """
    with path.open("rb") as file:
        magic = file.read(6)
        file.seek(0)
        if magic[:2] == b"PK":
            yield from _zip_entries(file)
        elif magic[:2] == b"\x1f\x8b":
            yield from _tar_entries(cast("IO[bytes]", gzip.GzipFile(fileobj=file, mode="rb")), limit_bytes)
        elif path.name.lower().endswith(ARCHIVE_SUFFIXES):
            yield from _tar_entries(file, limit_bytes)
        else:
            kind = archive_suffix(path) or "this kind of"
            raise SubmissionError.rejected(f"{kind} archives cannot be read", "hand in a .zip or .tar.gz")


def broken(error: Exception) -> SubmissionError | None:
    """The refusal for an error that a damaged archive causes; None if it has another cause, such as a full disk."""
    known = (*_BROKEN, OSError, ValueError, NotImplementedError, RuntimeError, OverflowError)
    if isinstance(error, SubmissionError) or not isinstance(error, known) or of_machine(error) is not None:
        return None
    # Without the path, which is the grader's.
    said = (error.strerror if isinstance(error, OSError) else None) or escape(str(error)) or type(error).__name__
    reason = f"the archive is damaged or not an archive: {said}"
    return SubmissionError.rejected(reason, "pack it again, and unpack it once yourself to see that it works")


def zip_directory_bytes(file: BinaryIO) -> int:
    """Size of a zip's directory as its end record declares it; 0 if there is none.

    `zipfile` builds an object per 46 bytes of it, so look here first.
    """
    end = file.seek(0, io.SEEK_END)
    file.seek(max(0, end - (1 << 16) - 128))
    tail = file.read()
    file.seek(0)
    sizes = [0]
    for magic, form, at in ((b"PK\x05\x06", "<L", 12), (b"PK\x06\x06", "<Q", 40)):
        start = tail.find(magic)
        while start >= 0:
            field = tail[start + at : start + at + struct.calcsize(form)]
            size = struct.unpack(form, field)[0] if len(field) == struct.calcsize(form) else 0
            sizes.append(0 if size == 0xFFFFFFFF else min(size, end))
            start = tail.find(magic, start + 1)
    return max(sizes)


def zip_names(path: Path) -> list[tuple[str, ...]]:
    """Cleaned names of the files in a zip, as `ArchiveEntry.parts`; none when it cannot be read."""
    try:
        with path.open("rb") as file:
            if zip_directory_bytes(file) > _DIRECTORY_LIMIT_BYTES:
                return []
            with zipfile.ZipFile(file) as archive:
                names = (clean_parts(_zip_name(info)) for info in archive.infolist() if not info.is_dir())
                return [each for each in names if each]
    except (*_BROKEN, SubmissionError, OSError, ValueError, NotImplementedError):
        return []


def zip_members(path: Path, below: Iterable[tuple[str, ...]]) -> Iterator[ArchiveEntry]:
    """The entries of a zip that have one of these names, or lie in a folder of that name; others are not looked at."""
    chosen = tuple(below)
    with path.open("rb") as file:
        yield from _zip_entries(file, lambda parts: any(parts[: len(each)] == each for each in chosen))


def _zip_entries(file: BinaryIO, wanted: Callable[[tuple[str, ...]], bool] = lambda _: True) -> Iterator[ArchiveEntry]:
    if zip_directory_bytes(file) > _DIRECTORY_LIMIT_BYTES:
        raise SubmissionError.rejected("the archive lists far too many files")
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            parts = clean_parts(_zip_name(info))
            if not parts or info.is_dir() or info.filename.endswith("\\") or is_noise(parts) or not wanted(parts):
                continue
            yield _zip_entry(archive, info, parts)


def _zip_name(info: zipfile.ZipInfo) -> str:
    name = info.filename
    if not info.flag_bits & 0x800:
        # macOS writes UTF-8 without the flag that says so, and Windows in Taiwan Big5.
        with contextlib.suppress(UnicodeError):
            data = name.encode("cp437")
            name = data.decode("cp950") if encoding_of(data) == "Big5" else name
            name = data.decode("utf-8")
    return name.replace("\\", "/")


def _zip_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, parts: tuple[str, ...]) -> ArchiveEntry:
    if info.flag_bits & 1:
        raise SubmissionError.rejected(f"{shown(parts)} is encrypted", "pack the archive without a password")
    if info.compress_type not in _UNPACKABLE:
        reason = f"{shown(parts)} is compressed with method {info.compress_type}, which cannot be read"
        raise SubmissionError.rejected(reason, "pack it with the usual zip settings")
    mode = info.external_attr >> 16
    modified = _zip_moment(info)
    if stat.S_ISLNK(mode):
        with archive.open(info) as link:
            target = link.read(4096).decode("utf-8", "replace")
        return ArchiveEntry(parts, 0, None, link_target(parts, target), modified)
    if stat.S_IFMT(mode):
        require_regular(mode, parts)
    return ArchiveEntry(parts, info.file_size, lambda: archive.open(info), modified=modified)


def _zip_moment(info: zipfile.ZipInfo) -> datetime | None:
    try:
        return plausible(datetime(*info.date_time).astimezone())
    except (ValueError, OverflowError, OSError):
        return None


class _Forward(io.RawIOBase):
    """A tar's bytes, forwards only and no more than allowed.

    Refusing to go back ends the endless loops of headers with negative sizes; refusing large single reads keeps
    extended headers out of memory; counting includes what is skipped, because skipping unpacks it too.
    """

    def __init__(self, file: IO[bytes], limit_bytes: int) -> None:
        self._file, self._limit_bytes, self._position = file, limit_bytes, 0
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _HEADER_LIMIT_BYTES:
            raise tarfile.ReadError("a header claims an absurd size")
        data = self._file.read(size)
        self._position += len(data)
        self.last = data
        if self._position > self._limit_bytes:
            raise SubmissionError.rejected(f"the archive unpacks to more than {self._limit_bytes:,} bytes")
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or offset < self._position:
            raise tarfile.ReadError("entries overlap")
        while self._position < offset and self.read(min(_HEADER_LIMIT_BYTES, offset - self._position)):
            pass
        return self._position

    def tell(self) -> int:
        return self._position

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def _tar_entries(file: IO[bytes], limit_bytes: int) -> Iterator[ArchiveEntry]:
    forward = _Forward(file, limit_bytes)
    with tarfile.open(fileobj=forward, mode="r:") as archive:
        for member in archive:
            parts = clean_parts(member.name)
            if parts and not member.isdir() and not is_noise(parts):
                yield _tar_entry(archive, member, parts)
            archive.members = []  # type: ignore[attr-defined]  # else tarfile keeps a record of every entry
    # tarfile takes a damaged header for the end; a real end is a block of zeros, or nothing.
    if forward.last.strip(b"\0"):
        raise tarfile.ReadError("a header in the middle is damaged")


def _tar_entry(archive: tarfile.TarFile, member: tarfile.TarInfo, parts: tuple[str, ...]) -> ArchiveEntry:
    modified = moment(member.mtime)
    if member.issym():
        return ArchiveEntry(parts, 0, None, link_target(parts, member.linkname), modified)
    if member.islnk():
        return ArchiveEntry(parts, 0, None, clean_parts(member.linkname), modified)
    content = archive.extractfile(member) if member.isfile() else None
    if content is None:
        raise SubmissionError.rejected(f"{shown(parts)} is a device, pipe or socket, not a file")
    return ArchiveEntry(parts, member.size, lambda: content, modified=modified)
