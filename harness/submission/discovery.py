"""Find the hand-ins that the paths given to `grade` hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from harness.errors import UsageError
from harness.submission.archives import archive_suffix
from harness.submission.bulk import bulk_download
from harness.submission.entries import escape, is_noise
from harness.submission.hand_in import HandIn
from harness.submission.staging import (
    SOURCE_SUFFIXES,
    is_work,
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
    found = by_id(paths, mode)
    for same in found.values():
        if len(same) > 1:
            raise UsageError(doubled(same))
    return [found[name][0] for name in sorted(found)]


def by_id(paths: Iterable[Path], mode: Literal["auto", "class", "single"]) -> dict[str, list[HandIn]]:
    """The submissions at paths that exist: id -> the one of that id, or the different ones that claim it.

    Raises:
        UsageError: nothing is there.
    """
    found: dict[str, list[HandIn]] = {}
    for path in paths:
        for each in _hand_ins(path, mode):
            same = found.setdefault(each.id, [])
            if all((other.path.resolve(), other.parts) != (each.path.resolve(), each.parts) for other in same):
                same.append(each)
    return found


def doubled(same: Sequence[HandIn]) -> str:
    """What to say of hand-ins that have one id."""
    one, other = same[:2]
    return f"two submissions have the id {one.id!r}: {_where(one)} and {_where(other)}; rename one"


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
    return mode == "class" or not any(is_work(each) for each in path.iterdir())


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
