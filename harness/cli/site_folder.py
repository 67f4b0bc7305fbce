"""Bring a site's folder up to date while people read it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from harness.errors import UsageError

_WRITTEN = ".harness-site"
"""Names the files of the site, so that those which are no more of it can go, and nothing else ever does."""


def replace_site(files: Iterable[tuple[str, str]], folder: Path) -> int:
    """Write the files of a site and remove those that an earlier site left; returns how many there are.

    Every file is replaced as a whole, and left alone where it is the same. The first one, the board, comes last:
    whoever reads it finds the pages it links to.

    Args:
        files: (path below the folder, text), the board first.

    Raises:
        UsageError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        earlier, written = _earlier(folder), list[str]()
        pages = iter(files)
        board, text_of_board = next(pages)
        # Noted before they are written, so that what a killed run leaves can go as well.
        with (folder / _WRITTEN).open("a", encoding="utf-8") as noted:
            for name, text in pages:
                noted.write(f"{name}\n")
                noted.flush()
                replace_file(folder / name, text)
                written.append(name)
        replace_file(folder / board, text_of_board)
        written.append(board)
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
    content = text.encode()
    if target.is_file() and target.read_bytes() == content:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # Of a fixed name: what a killed process left is overwritten.
    beside = target.with_name(f".{target.name}.new")
    beside.write_bytes(content)
    beside.replace(target)


def _earlier(folder: Path) -> set[str]:
    """The files of the site that is there, as far as it is known; never one outside the folder."""
    try:
        names = (folder / _WRITTEN).read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, UnicodeDecodeError):
        return set()
    paths = map(PurePosixPath, filter(None, names))
    inside = (each for each in paths if not each.is_absolute() and ".." not in each.parts)
    return {str(each) for each in inside if (folder / each).is_file()}
