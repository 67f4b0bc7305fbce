"""Taking in what a student handed in: staged, digested, described; never executed or unpickled here.

Everything is copied into a private folder first, as regular files and within limits, so that what is digested is what
is graded.
"""

from __future__ import annotations

import difflib
import hashlib
import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Literal

from harness.api import WeightFormat
from harness.archives import (
    Entry,
    archive_entries,
    archive_suffix,
    broken,
    escape,
    file_entry,
    folder_entries,
    is_noise,
    zip_members,
)
from harness.bulk import HandIn, bulk_download
from harness.errors import SubmissionError, UsageError
from harness.predictions import is_predictions
from harness.settings import SETTINGS_FILE, Settings, parse_settings, refusal

__all__ = ["HandIn", "ReadLimits", "Settings", "Submission", "discover", "read_submission", "submission_id"]

SOURCE_SUFFIXES = frozenset({".py", ".ipynb"})
WEIGHTS_SUFFIXES = frozenset({".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".safetensors", ".npz", ".model"})
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How much a submission may hold once unpacked."""

    file_bytes: int = 256 << 20
    total_bytes: int = 512 << 20
    files: int = 5000
    ratio: int = 200
    """Unpacked bytes per byte of archive, beyond `free_bytes`."""
    free_bytes: int = 16 << 20


@dataclass(frozen=True, slots=True)
class Submission:
    """A staged hand-in.

    Attributes:
        id: printable name.
        folder: the staged copy, read-only.
        digest: `sha256:…` of names and contents; the same however the files were packed.
        sources: `.py` and `.ipynb` files, relative to `folder`, sorted.
        weights: the weights file, relative to `folder`; None when nothing looks like one.
        weights_bytes: size of that file as handed in; 0 without one.
        predictions: a file of predicted classes, where there is neither source nor weights.
        members: those the learning platform names, then those only submission.toml names.
        submitted_at: what the learning platform says, else submission.toml, else the newest file's time.
        notes: what was coped with to read it.
    """

    id: str
    folder: Path
    digest: str
    sources: tuple[Path, ...]
    weights: Path | None
    weights_bytes: int
    predictions: Path | None
    settings: Settings
    members: tuple[str, ...]
    submitted_at: datetime
    notes: tuple[str, ...]


def read_submission(
    hand_in: HandIn, scratch: Path, formats: Mapping[str, WeightFormat], limits: ReadLimits = ReadLimits()
) -> Submission:
    """Copy a hand-in (folder, archive, source file, or part of a download) below `scratch`, and describe it.

    Raises:
        SubmissionError: it is empty, broken, too large, leaves its folder, or does not say which weights count.
        UsageError: there is nothing at its path.
    """
    if not hand_in.path.exists():
        raise UsageError(f"{hand_in.path}: no such file or folder")
    folder, newest = _staged(hand_in, scratch, formats, limits)
    files = sorted(each.relative_to(folder) for each in folder.rglob("*") if each.is_file())
    if not files:
        raise SubmissionError("rejected", "the submission is empty", "hand in a source file and a weights file")
    settings = _settings(folder, files)
    weights = _weights(folder, files, settings, formats)
    sources = tuple(each for each in files if _is_source(each))
    changed = datetime.fromtimestamp(hand_in.path.stat().st_mtime, UTC)
    return Submission(
        id=hand_in.id,
        folder=folder,
        digest=_digest(folder, files),
        sources=sources,
        weights=weights,
        weights_bytes=(folder / weights).stat().st_size if weights else 0,
        predictions=None if sources or weights else _predictions(folder, files),
        settings=settings,
        members=_members_of(hand_in, settings),
        submitted_at=hand_in.submitted_at or settings.submitted_at or newest or changed,
        notes=(*(["handed in late, says the learning platform"] if hand_in.late else []), *hand_in.notes),
    )


def discover(paths: Sequence[Path], *, mode: Literal["auto", "class", "single"] = "auto") -> list[HandIn]:
    """The submissions at `paths`, sorted by id.

    A bulk download is many. Any other file is one submission, and so is a folder when sources or weights lie in it
    directly; else it is a folder of submissions. `mode` settles doubt.

    Raises:
        UsageError: a path is missing, nothing is there, or two submissions have one id.
    """
    missing = [f"{path}: no such file or folder" for path in paths if not path.exists()]
    if missing:
        raise UsageError("\n".join(missing))
    found: dict[str, HandIn] = {}
    for path in paths:
        for each in _hand_ins(path, mode):
            other = found.setdefault(each.id, each)
            if (other.path.resolve(), other.parts) != (each.path.resolve(), each.parts):
                raise UsageError(
                    f"two submissions have the id {each.id!r}: {_where(other)} and {_where(each)}; rename one"
                )
    return [found[name] for name in sorted(found)]


def _hand_ins(path: Path, mode: Literal["auto", "class", "single"]) -> Iterable[HandIn]:
    download = None if mode == "single" else bulk_download(path)
    if download is not None:
        return download
    return [HandIn(submission_id(each), each) for each in (_members(path) if _is_class(path, mode) else [path])]


def _where(hand_in: HandIn) -> str:
    sources = [part.source for part in hand_in.parts or ()]
    return escape(f"{hand_in.path}/{sources[0]}" + (" …" if len(sources) > 1 else "") if sources else str(hand_in.path))


def submission_id(path: Path) -> str:
    """The folder's name, or the file's without its suffix, fit to be shown."""
    name = path.name if path.name not in {"", ".."} else path.resolve().name
    if not path.is_dir():
        suffix = archive_suffix(path)
        name = name[: -len(suffix)] if suffix else Path(name).stem
    return escape(name)


def _is_class(path: Path, mode: Literal["auto", "class", "single"]) -> bool:
    if mode == "single" or not path.is_dir():
        return False
    return mode == "class" or not any(_is_work(each) for each in path.iterdir())


def _is_work(path: Path) -> bool:
    suffix = path.suffix.lower() if not path.name.lower().endswith((".pth.tar", ".pt.tar")) else ".pth"
    marked = suffix in SOURCE_SUFFIXES | WEIGHTS_SUFFIXES or path.name == SETTINGS_FILE
    return marked and not is_noise((path.name,)) and path.is_file()


def _members(folder: Path) -> Iterator[Path]:
    found = False
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or is_noise((path.name,)):
            continue
        if path.is_dir() or (path.is_file() and (archive_suffix(path) or path.suffix.lower() in SOURCE_SUFFIXES)):
            found = True
            yield path
    if not found:
        raise UsageError(f"{folder}: holds no submissions (folders, .zip, .tar.gz, .py or .ipynb files)")


def _staged(
    hand_in: HandIn, scratch: Path, formats: Mapping[str, WeightFormat], limits: ReadLimits
) -> tuple[Path, datetime | None]:
    """The private copy and the time of its newest file."""

    def copied(entries: Iterable[Entry]) -> tuple[Path, datetime | None]:
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


def _of_download(hand_in: HandIn) -> Iterator[Entry]:
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


def _moved(entry: Entry, inside: tuple[str, ...], name: str) -> Entry:
    if entry.open is None:
        raise SubmissionError("rejected", f"{'/'.join(inside)!r} is a link", "replace the link by the file itself")
    return replace(entry, parts=(name, *inside) if name else inside)


def _keep_named(folder: Path, hand_in: HandIn) -> None:
    """Files whose names only look numbered, as `resnet-18.pth` does, and which submission.toml calls by that name."""
    settings = folder / SETTINGS_FILE
    text = settings.read_text("utf-8", "replace") if settings.is_file() else ""
    for part in hand_in.parts or ():
        if part.original and part.original in text:
            (folder / part.name).rename(folder / part.original)


def _members_of(hand_in: HandIn, settings: Settings) -> tuple[str, ...]:
    # Canvas writes `smithjohn` for John Smith.
    known = {_letters(name) for name in hand_in.members}
    return (*hand_in.members, *(name for name in settings.members if _letters(name) not in known))


def _letters(name: str) -> str:
    return "".join(sorted(filter(str.isalnum, name.casefold())))


def _entries(path: Path, formats: Mapping[str, WeightFormat], limits: ReadLimits) -> Iterable[Entry]:
    if path.is_dir():
        archives, beside = _packed(path)
        unpacked = [_entries(each, formats, limits) for each in archives]
        return itertools.chain(*unpacked, map(file_entry, beside)) if archives else folder_entries(path)
    if archive_suffix(path):
        size = path.stat().st_size
        if size > limits.total_bytes:
            raise SubmissionError(
                "rejected", f"the archive has {size:,} bytes; at most {limits.total_bytes:,} are read"
            )
        allowed = min(4 * limits.total_bytes, limits.free_bytes + limits.ratio * size)
        return _bounded(archive_entries(path, allowed), allowed, limits)
    if path.suffix.lower() in SOURCE_SUFFIXES:
        weights = _weights_beside(path, formats)
        return [file_entry(each) for each in (path, weights) if each]
    raise SubmissionError(
        "rejected", f"{escape(path.name)} is not something that can be handed in",
        "hand in a folder, a .zip or .tar.gz of it, or a .py or .ipynb with the weights file beside it",
    )  # fmt: skip


def _packed(folder: Path) -> tuple[list[Path], list[Path]]:
    """Archives that stand for the work in a folder without any source of its own, and the files beside that count."""
    inner = sorted(each for each in folder.iterdir() if not is_noise((each.name,)))
    if any(not each.is_file() or each.is_symlink() or _is_source(each) for each in inner):
        return [], []
    archives = [each for each in inner if archive_suffix(each)]
    return archives, [each for each in inner if each not in archives and _is_work(each)]


def _bounded(entries: Iterable[Entry], allowed: int, limits: ReadLimits) -> Iterator[Entry]:
    declared = 0
    for entry in entries:
        declared += entry.bytes_declared
        if declared > allowed:
            reason = f"the archive unpacks to more than {allowed:,} bytes, {limits.ratio} times its own size"
            raise SubmissionError("rejected", reason, _SMALLER)
        yield entry


def _weights_beside(source: Path, formats: Mapping[str, WeightFormat]) -> Path | None:
    others = [each for each in sorted(source.parent.iterdir()) if each.is_file() and not _is_source(each)]
    stems = {each.stem for each in source.parent.iterdir() if _is_source(each) and each.name != source.name}
    own = [each for each in others if each.stem == source.stem]
    free = [each for each in others if each.stem not in stems]
    for candidates in (own, free):
        recognised = [each for each in candidates if not archive_suffix(each) and _recognised(each, formats)]
        if len(recognised) == 1:
            return recognised[0]
        if len(recognised) > 1:
            names = ", ".join(each.name for each in recognised)
            hint = f"name the right one {source.stem}{recognised[0].suffix}, or hand in a folder"
            raise SubmissionError("rejected", f"several weights files lie beside {source.name}: {names}", hint)
    return None


def _is_source(path: Path) -> bool:
    return path.suffix.lower() in SOURCE_SUFFIXES


class _Staging:
    """Copies entries into a folder, counting what really arrives."""

    def __init__(self, folder: Path, limits: ReadLimits) -> None:
        folder.chmod(0o755)
        self.folder, self._limits = folder, limits
        self._bytes = self._files = 0

    def take(self, entries: Iterable[Entry]) -> datetime | None:
        """Copy all; returns the newest time."""
        links: list[Entry] = []
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
            raise SubmissionError("rejected", f"more than {self._limits.files:,} files", "leave out data sets")

    def _write(self, entry: Entry) -> None:
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
                if size > self._limits.file_bytes:
                    raise _too_large(name, self._limits.file_bytes)
                if self._bytes > self._limits.total_bytes:
                    reason = f"the submission holds more than {self._limits.total_bytes:,} bytes"
                    raise SubmissionError("rejected", reason, _SMALLER)
                copy.write(chunk)
        if entry.modified:
            os.utime(target, (entry.modified.timestamp(),) * 2)
        else:
            os.utime(target, (0, 0))
        target.chmod(0o444)

    def _place(self, parts: tuple[str, ...]) -> Path:
        target = self.folder.joinpath(*parts)
        if any(len(part.encode()) > 250 for part in parts) or len("/".join(parts)) > 1000:
            raise SubmissionError("rejected", f"a name is too long: '{'/'.join(parts)[:80]}…'", "use shorter names")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)  # a name that occurs twice: the later one counts, as for unzip and tar
        except OSError as error:
            raise SubmissionError("rejected", f"{'/'.join(parts)!r} is both a file and a folder") from error
        return target

    def _copy_links(self, links: list[Entry]) -> None:
        """Replace links by what they point to; a link to a link needs another round."""
        while links:
            waiting = []
            for link in links:
                source = self.folder.joinpath(*(link.target or ()))
                inside = source in {self.folder, *self.folder.joinpath(*link.parts).parents}
                if source.exists() and not inside:
                    self._copy_link(source, link)
                else:
                    waiting.append(link)
            if len(waiting) == len(links):
                name = "/".join(links[0].parts)
                raise SubmissionError("rejected", f"{name!r} is a link that leads nowhere", "put the file there")
            links = waiting

    def _copy_link(self, source: Path, link: Entry) -> None:
        files = [source] if source.is_file() else sorted(each for each in source.rglob("*") if each.is_file())
        for file in files:
            self._count_file()
            parts = (*link.parts, *file.relative_to(source).parts)
            self._write(Entry(parts, file.stat().st_size, lambda file=file: file.open("rb")))  # type: ignore[misc]


_SMALLER = "hand in sources and one weights file; leave out data sets, teachers and other models"


def _too_large(name: str, limit_bytes: int) -> SubmissionError:
    return SubmissionError("rejected", f"{name!r} is larger than {limit_bytes:,} bytes", _SMALLER)


def _unwrapped(folder: Path) -> Path:
    """The folder inside, where there is nothing but one; a Python package counts as work itself."""
    while True:
        inside = list(folder.iterdir())
        if len(inside) != 1 or not inside[0].is_dir() or (inside[0] / "__init__.py").exists():
            return folder
        folder = inside[0]


def _digest(folder: Path, files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for name, file in sorted((each.as_posix().encode(), folder / each) for each in files):
        with file.open("rb") as content:
            inner = hashlib.file_digest(content, "sha256").digest()
        digest.update(len(name).to_bytes(8, "big") + name + inner)
    return f"sha256:{digest.hexdigest()}"


def _settings(folder: Path, files: Sequence[Path]) -> Settings:
    if Path(SETTINGS_FILE) not in files:
        return Settings()
    settings = parse_settings((folder / SETTINGS_FILE).read_bytes())
    known = [each.as_posix() for each in files]
    named = [("weights", settings.weights)] if settings.weights else []
    named += [(f"checkpoints.{label}", each) for label, names in settings.checkpoints.items() for each in names]
    mistakes = [f"{key}: {_absent(name, known)}" for key, name in named if _plain(name) not in known]
    if mistakes:
        raise refusal(mistakes)
    return settings


def _plain(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).as_posix()


def _absent(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(_plain(name), known, n=1)
    return f"there is no file {name!r}" + (f"; did you mean {close[0]!r}?" if close else "")


def _weights(
    folder: Path, files: Sequence[Path], settings: Settings, formats: Mapping[str, WeightFormat]
) -> Path | None:
    if settings.weights:
        return Path(_plain(settings.weights))
    others = {Path(_plain(each)) for names in settings.checkpoints.values() for each in names}
    others |= {each for each in files if _is_source(each) or each == Path(SETTINGS_FILE)}
    found = [each for each in files if each not in others and _recognised(folder / each, formats)]
    if len(found) > 1:
        names = [each.as_posix() for each in found]
        lines = " or ".join(f"weights = {_toml(name)}" for name in names[:5])
        reason = f"{len(found)} files look like weights: {', '.join(names[:20])}"
        raise SubmissionError("rejected", reason, f"write one line into {SETTINGS_FILE}: {lines}")
    if not found:
        named = [each for each in files if each not in others and each.suffix.lower() in WEIGHTS_SUFFIXES]
        for each in named[:1]:
            raise _unreadable(folder, each)
    return found[0] if found else None


def _unreadable(folder: Path, file: Path) -> SubmissionError:
    """Why a file that is called like weights is none, by the accidents that make such files."""
    with (folder / file).open("rb") as content:
        head = content.read(64)
    name = file.as_posix()
    if not head:
        return SubmissionError("rejected", f"{name} is empty", "save the weights again, and look at the file's size")
    if head.startswith(b"version https://git-lfs"):
        what, hint = "a Git LFS pointer, not the file itself", "run 'git lfs pull', then pack the folder again"
    elif head.lstrip().lower().startswith((b"<!doctype", b"<html")):
        what, hint = "a web page, not weights", "the site showed a page instead of the file: download it again"
    elif head.startswith((b"PK", b"\x80")):
        what, hint = "damaged: its end is missing", "copy or upload it again, and load it once yourself"
    else:
        what, hint = "not a weights file of any known format", "hand in torch.save(model.state_dict(), …)"
    return SubmissionError("rejected", f"{name} is {what}", hint)


def _predictions(folder: Path, files: Sequence[Path]) -> Path | None:
    tables = [each for each in files if is_predictions(folder / each)]
    tables = tables or [each for each in files if each.suffix.lower() == ".csv"]
    if len(tables) > 1:
        names = ", ".join(each.as_posix() for each in tables[:20])
        raise SubmissionError("rejected", f"{len(tables)} files hold predictions: {names}", "hand in one of them")
    return tables[0] if tables else None


def _toml(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _recognised(path: Path, formats: Mapping[str, WeightFormat]) -> bool:
    with path.open("rb") as file:
        for each in formats.values():
            file.seek(0)
            if each.recognises(file):
                return True
    return False
