"""Find the hand-ins that the paths given to `grade` hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from harness.errors import UsageError
from harness.submission.archives import archive_suffix
from harness.submission.bulk import bulk_download
from harness.submission.entries import escape, is_noise
from harness.submission.hand_in import Found, HandIn
from harness.submission.staging import (
    SOURCE_SUFFIXES,
    is_work,
)

Mode = Literal["auto", "class", "single"]


def discover(paths: Sequence[Path], *, mode: Mode = "auto") -> list[HandIn]:
    """The submissions at `paths`, sorted by id, if all of them can be graded.

    Raises:
        UsageError: as for `find`, or something would be left out.
    """
    found = find(paths, mode=mode)
    if found.left_out:
        raise UsageError("\n".join(found.left_out))
    return list(found.hand_ins)


def find(paths: Sequence[Path], *, mode: Mode = "auto") -> Found:
    """The submissions at `paths`, sorted by id, and what is left out.

    A bulk download is many; only a path that is given alone can be one, since a student's hand-in may look like one.
    Any other file is one submission, and so is a folder when sources or weights lie in it directly; else it is a
    folder of submissions. `mode` settles doubt. Of submissions with one id none is taken: students choose names.

    Raises:
        UsageError: a path is missing, or nothing is there.
    """
    missing = [f"{path}: no such file or folder" for path in paths if not path.exists()]
    if missing:
        raise UsageError("\n".join(missing))
    parts = [_found(path, mode, alone=len(paths) == 1) for path in paths]
    same: dict[str, dict[object, HandIn]] = {}
    for each in (hand_in for part in parts for hand_in in part.hand_ins):
        same.setdefault(each.id, {}).setdefault((each.path.resolve(), each.parts), each)
    doubled = [
        f"{len(found)} submissions have the id {name!r}: {' and '.join(map(_where, found.values()))}; rename one"
        for name, found in sorted(same.items())
        if len(found) > 1
    ]
    left_out = (*(sentence for part in parts for sentence in part.left_out), *doubled)
    alone = {name: next(iter(found.values())) for name, found in same.items() if len(found) == 1}
    first = parts[0] if len(parts) == 1 else Found(())
    return replace(first, hand_ins=tuple(alone[name] for name in sorted(alone)), left_out=left_out)


def _found(path: Path, mode: Mode, *, alone: bool) -> Found:
    download = bulk_download(path) if alone and mode != "single" else None
    if download is not None:
        return download
    members = _members(path) if _is_class(path, mode) else [path]
    return Found(tuple(HandIn(submission_id(each), each) for each in members))


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


def _is_class(path: Path, mode: Mode) -> bool:
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
