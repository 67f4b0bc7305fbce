"""Copy a hand-in into a private folder: as regular files, within limits, out of whatever it was packed in."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from harness.contracts.formats import WeightFormat
from harness.errors import PluginError, SubmissionError, of_machine
from harness.plugins.faults import blaming
from harness.plugins.kinds import WEIGHT_FORMAT
from harness.submission.archives import archive_entries, archive_suffix, broken, zip_members
from harness.submission.entries import ArchiveEntry, escape, is_noise
from harness.submission.folders import file_entry, folder_entries
from harness.submission.hand_in import HandIn
from harness.submission.settings import SETTINGS_FILE

SOURCE_SUFFIXES = frozenset({".py", ".ipynb"})
WEIGHTS_SUFFIXES = frozenset({".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".safetensors", ".npz", ".model"})
_CHUNK_BYTES = 1 << 20
_MOST_LINKS_IN_A_ROW = 40
"""As for Linux."""
_SMALLER = "hand in sources and one weights file; leave out data sets, teachers and other models"


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How much a submission may hold once unpacked."""

    file_bytes: int = 256 << 20
    total_bytes: int = 512 << 20
    files: int = 5000
    ratio: int = 200
    """Unpacked bytes per byte of archive, beyond `free_bytes`."""
    free_bytes: int = 16 << 20


DEFAULT_LIMITS = ReadLimits()


_HEAD_BYTES = 8192
"""A file with a zero among its first bytes is no text."""


def stage(
    hand_in: HandIn, scratch: Path, formats: Mapping[str, WeightFormat], limits: ReadLimits
) -> tuple[Path, datetime | None]:
    """A private copy of the hand-in in a new folder below `scratch`, and the time of its newest file.

    Raises:
        SubmissionError: it is broken, too large, or leaves its folder.
    """

    def copied(entries: Iterable[ArchiveEntry]) -> tuple[Path, datetime | None]:
        staging = _Staging(Path(tempfile.mkdtemp(prefix="submission-", dir=scratch)), limits)
        return staging.folder, staging.take(entries)

    try:
        path = hand_in.path
        if hand_in.parts is not None:
            # First out of the download, under the names the student gave; then that is read like any other folder.
            path, _ = copied(_of_download(hand_in))
            _keep_named(path, hand_in)
        folder, newest = copied(_entries(path, formats, limits))
    except SubmissionError:
        raise
    except Exception as error:
        refused = broken(error)
        if refused is None:
            raise
        raise refused from error
    return _unwrapped(folder), newest


def _of_download(hand_in: HandIn) -> Iterator[ArchiveEntry]:
    sources = {tuple(part.source.split("/")): part for part in hand_in.parts or ()}
    if not hand_in.path.is_dir():
        for entry in zip_members(hand_in.path, sources):
            source, part = next((each, part) for each, part in sources.items() if entry.parts[: len(each)] == each)
            yield _moved(entry, entry.parts[len(source) :], part.name)
        return
    for part in hand_in.parts or ():
        path = hand_in.path / part.source
        for entry in folder_entries(path) if path.is_dir() else [file_entry(path)]:
            yield _moved(entry, entry.parts if path.is_dir() else (), part.name)


def _moved(entry: ArchiveEntry, inside: tuple[str, ...], name: str) -> ArchiveEntry:
    if entry.open is None:
        raise SubmissionError.rejected(f"{'/'.join(inside)!r} is a link", "replace the link by the file itself")
    return replace(entry, parts=(name, *inside) if name else inside)


def _keep_named(folder: Path, hand_in: HandIn) -> None:
    """Files whose names only look numbered, as `resnet-18.pth` does, and which submission.toml calls by that name."""
    settings = folder / SETTINGS_FILE
    text = settings.read_text("utf-8", "replace") if settings.is_file() else ""
    for part in hand_in.parts or ():
        if part.original and part.original in text:
            (folder / part.name).rename(folder / part.original)


def _entries(path: Path, formats: Mapping[str, WeightFormat], limits: ReadLimits) -> Iterable[ArchiveEntry]:
    if path.is_dir():
        archives, beside = _packed(path)
        unpacked = [_entries(each, formats, limits) for each in archives]
        return itertools.chain(*unpacked, map(file_entry, beside)) if archives else folder_entries(path)
    if archive_suffix(path):
        size = path.stat().st_size
        if size > limits.total_bytes:
            raise SubmissionError.rejected(f"the archive has {size:,} bytes; at most {limits.total_bytes:,} are read")
        allowed = min(4 * limits.total_bytes, limits.free_bytes + limits.ratio * size)
        return _bounded(archive_entries(path, allowed), allowed, limits)
    if path.suffix.lower() in SOURCE_SUFFIXES:
        weights = _weights_beside(path, formats)
        return [file_entry(each) for each in (path, weights) if each]
    raise SubmissionError.rejected(
        f"{escape(path.name)} is not something that can be handed in",
        "hand in a folder, a .zip or .tar.gz of it, or a .py or .ipynb with the weights file beside it",
    )


def _packed(folder: Path) -> tuple[list[Path], list[Path]]:
    """Archives that stand for the work in a folder without any source of its own, and the files beside that count."""
    inner = sorted(each for each in folder.iterdir() if not is_noise((each.name,)))
    if any(not each.is_file() or each.is_symlink() or is_source(each) for each in inner):
        return [], []
    archives = [each for each in inner if archive_suffix(each)]
    return archives, [each for each in inner if each not in archives and is_work(each)]


def _bounded(entries: Iterable[ArchiveEntry], allowed: int, limits: ReadLimits) -> Iterator[ArchiveEntry]:
    declared, sizes = 0, dict[str, int]()
    for entry in entries:
        sizes["/".join(entry.parts)] = entry.bytes_declared
        declared += entry.bytes_declared
        if declared > allowed:
            reason = f"the archive unpacks to more than {allowed:,} bytes, {limits.ratio} times its own size"
            raise SubmissionError.rejected(f"{reason}; {largest(sizes)}", _SMALLER)
        yield entry


def largest(sizes: Mapping[str, int]) -> str:
    """The three largest files by name, with their bytes."""
    three = sorted(sizes, key=lambda name: -sizes[name])[:3]
    listed = ", ".join(f"{escape(name)} ({sizes[name]:,} bytes)" for name in three)
    return f"the largest {'file is' if len(three) == 1 else 'files are'} {listed}"


def _weights_beside(source: Path, formats: Mapping[str, WeightFormat]) -> Path | None:
    others = [each for each in sorted(source.parent.iterdir()) if each.is_file() and not is_source(each)]
    stems = {each.stem for each in source.parent.iterdir() if is_source(each) and each.name != source.name}
    own = [each for each in others if each.stem == source.stem]
    free = [each for each in others if each.stem not in stems]
    for candidates in (own, free):
        known = {each: format_of(each, formats) for each in candidates if not archive_suffix(each)}
        readable = [each for each, form in known.items() if form is not None and not only_refused(form)]
        recognised = readable or [each for each, form in known.items() if form is not None]
        if len(recognised) == 1:
            return recognised[0]
        if len(recognised) > 1:
            names = ", ".join(each.name for each in recognised)
            hint = f"name the right one {source.stem}{recognised[0].suffix}, or hand in a folder"
            raise SubmissionError.rejected(f"several weights files lie beside {source.name}: {names}", hint)
    return None


class _Staging:
    """Copies entries into a folder, counting what really arrives."""

    def __init__(self, folder: Path, limits: ReadLimits) -> None:
        folder.chmod(0o755)
        self.folder, self._limits = folder, limits
        self._bytes = self._files = 0
        self._sizes: dict[str, int] = {}

    def take(self, entries: Iterable[ArchiveEntry]) -> datetime | None:
        """Copy all; returns the newest time."""
        links: list[ArchiveEntry] = []
        newest: datetime | None = None
        for entry in entries:
            self._count_file()
            if entry.modified and (newest is None or entry.modified > newest):
                newest = entry.modified
            if entry.open is None:
                links.append(entry)
            else:
                self._write(entry)
        self._copy_links(links)
        return newest

    def _count_file(self) -> None:
        self._files += 1
        if self._files > self._limits.files:
            raise SubmissionError.rejected(f"more than {self._limits.files:,} files", "leave out data sets")

    def _write(self, entry: ArchiveEntry) -> None:
        assert entry.open is not None
        name = "/".join(entry.parts)
        if entry.bytes_declared > self._limits.file_bytes:
            raise _too_large(name, self._limits.file_bytes)
        target = self._place(entry.parts)
        size = 0
        with entry.open() as source, target.open("wb") as copy:
            while chunk := source.read(_CHUNK_BYTES):
                size += len(chunk)
                self._bytes += len(chunk)
                self._sizes[name] = max(size, entry.bytes_declared)
                if size > self._limits.file_bytes:
                    raise _too_large(name, self._limits.file_bytes)
                if self._bytes > self._limits.total_bytes:
                    reason = f"the submission holds more than {self._limits.total_bytes:,} bytes"
                    raise SubmissionError.rejected(f"{reason}; {largest(self._sizes)}", _SMALLER)
                copy.write(chunk)
        if entry.modified:
            os.utime(target, (entry.modified.timestamp(),) * 2)
        else:
            os.utime(target, (0, 0))
        target.chmod(0o444)

    def _place(self, parts: tuple[str, ...]) -> Path:
        target = self.folder.joinpath(*parts)
        if any(len(part.encode()) > 250 for part in parts) or len("/".join(parts)) > 1000:
            raise SubmissionError.rejected(f"a name is too long: '{'/'.join(parts)[:80]}…'", "use shorter names")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)  # a name that occurs twice: the later one counts, as for unzip and tar
        except OSError as error:
            if of_machine(error) is not None:
                raise
            raise SubmissionError.rejected(f"{'/'.join(parts)!r} is both a file and a folder") from error
        return target

    def _copy_links(self, links: list[ArchiveEntry]) -> None:
        """Replace links by what they point to; a link to a link may need another round."""
        for last in itertools.count(1):
            waiting = []
            for link in links:
                source = self.folder.joinpath(*(link.target or ()))
                if source.exists() and source not in {self.folder, *self.folder.joinpath(*link.parts).parents}:
                    self._copy_link(source, link)
                else:
                    waiting.append(link)
            if not waiting:
                return
            if len(waiting) == len(links) or last == _MOST_LINKS_IN_A_ROW:
                name = "/".join(waiting[0].parts)
                raise SubmissionError.rejected(f"{name!r} is a link that leads nowhere", "put the file there")
            links = waiting

    def _copy_link(self, source: Path, link: ArchiveEntry) -> None:
        files = [source] if source.is_file() else sorted(each for each in source.rglob("*") if each.is_file())
        for file in files:
            self._count_file()
            parts = (*link.parts, *file.relative_to(source).parts)
            self._write(ArchiveEntry(parts, file.stat().st_size, lambda file=file: file.open("rb")))  # type: ignore[misc]


def _too_large(name: str, limit_bytes: int) -> SubmissionError:
    return SubmissionError.rejected(f"{name!r} is larger than {limit_bytes:,} bytes", _SMALLER)


def _unwrapped(folder: Path) -> Path:
    """The folder inside, where there is nothing but one; a Python package counts as work itself."""
    while True:
        inside = list(folder.iterdir())
        if len(inside) != 1 or not inside[0].is_dir() or (inside[0] / "__init__.py").exists():
            return folder
        folder = inside[0]


def is_source(path: Path) -> bool:
    """Whether it is called like Python source or a notebook."""
    return path.suffix.lower() in SOURCE_SUFFIXES


def is_work(path: Path) -> bool:
    """Whether it is called like something that a single submission holds."""
    suffix = path.suffix.lower() if not path.name.lower().endswith((".pth.tar", ".pt.tar")) else ".pth"
    marked = suffix in SOURCE_SUFFIXES | WEIGHTS_SUFFIXES or path.name == SETTINGS_FILE
    return marked and not is_noise((path.name,)) and path.is_file()


def is_weights(path: Path, formats: Mapping[str, WeightFormat]) -> bool:
    """Whether the content is that of a known weights format, whatever the name."""
    return format_of(path, formats) is not None


def format_of(path: Path, formats: Mapping[str, WeightFormat]) -> WeightFormat | None:
    """The weights format of the content, whatever the name.

    Raises:
        PluginError: no format knows it, it is no text, and a format failed at looking.
    """
    failed: PluginError | None = None
    for each in formats.values():
        try:
            # Each gets a file of its own: one that closes it, or leaves it half read, is in nobody's way.
            with path.open("rb") as file, blaming(WEIGHT_FORMAT, each, "recognises"):
                if each.recognises(file):
                    return each
        except PluginError as error:
            failed = failed or error
    if failed is not None:
        with path.open("rb") as file:
            if b"\0" in file.read(_HEAD_BYTES):
                raise failed
    return None


def only_refused(form: WeightFormat) -> bool:
    """Whether a format is known for its name alone."""
    return bool(getattr(form, "only_refused", False))
