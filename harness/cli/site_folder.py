"""Bring a site's folder up to date while people read it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from harness.errors import UsageError

_WRITTEN = ".harness-site"
"""Names the files of the site, so that those which are no more of it can go, and nothing else ever does."""


def replace_site(files: Iterable[tuple[str, str]], folder: Path) -> int:
    """Write the files of a site and remove those that an earlier site left; returns how many there are.

    Nothing is replaced before all are made, so that a site whose making fails stays as it was. Every file is replaced
    as a whole, and left alone where it is the same. The first one, the board, comes last: whoever reads it finds the
    pages it links to.

    Args:
        files: (path below the folder, text), the board first.

    Raises:
        UsageError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        earlier = _earlier(folder)
        written = _written_beside(files, folder)
        board, *pages = written
        for name in (*pages, board):
            if (beside := written[name]) is not None:
                beside.replace(folder / name)
        for name in earlier.difference(written):
            (folder / name).unlink(missing_ok=True)
        replace_file(folder / _WRITTEN, "".join(f"{name}\n" for name in written))
    except OSError as error:
        raise UsageError(f"{error.filename or folder}: cannot be written: {error.strerror}") from error
    return len(written)


def replace_file(target: Path, text: str) -> None:
    """Make the file hold this text; whoever opens it finds the old text or the new one, never a part.

    Raises:
        OSError: it cannot be written.
    """
    if (beside := _written(target, text)) is not None:
        beside.replace(target)


def _written_beside(files: Iterable[tuple[str, str]], folder: Path) -> dict[str, Path | None]:
    """Write every file beside the one that it is to replace: its name -> where, or None where that one is the same."""
    written: dict[str, Path | None] = {}
    note = folder / _WRITTEN
    before = note.read_bytes() if note.is_file() else b""
    try:
        # Noted before they are written, so that what a killed run leaves can go as well.
        with note.open("a", encoding="utf-8") as noted:
            for name, text in files:
                noted.write(f"{name}\n{_beside(Path(name))}\n")
                noted.flush()
                written[name] = _written(folder / name, text)
    except BaseException:
        for beside in filter(None, written.values()):
            beside.unlink(missing_ok=True)
        note.write_bytes(before)
        raise
    return written


def _written(target: Path, text: str) -> Path | None:
    """Where the text lies that is to replace a file; None where that holds it already."""
    content = text.encode()
    if target.is_file() and target.read_bytes() == content:
        return None
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(target)
    beside.write_bytes(content)
    return beside


def _beside(target: Path) -> Path:
    """Of a fixed name: what a killed process left is overwritten."""
    return target.with_name(f".{target.name}.new")


def _earlier(folder: Path) -> set[str]:
    """The files of the site that is there, as far as it is known; never one outside the folder."""
    try:
        names = (folder / _WRITTEN).read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, UnicodeDecodeError):
        return set()
    paths = map(PurePosixPath, filter(None, names))
    inside = (each for each in paths if not each.is_absolute() and ".." not in each.parts)
    return {str(each) for each in inside if (folder / each).is_file()}
