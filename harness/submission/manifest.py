"""Pack a hand-in, so that whoever reads it can tell whether it is still what was packed.

The manifest lists the files with their SHA-256 digests in the format of coreutils: `sha256sum -c MANIFEST.sha256`
compares them as well. It is no part of the work: it is taken out before anything else looks at the hand-in.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.errors import UsageError
from harness.submission.archives import zip_names

MANIFEST_FILE = "MANIFEST.sha256"
_LIMIT_BYTES = 8 << 20
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_NAMED = 5
_NAME_CHARACTERS = 80
_NO_TIME = (1980, 1, 1, 0, 0, 0)
"""What zips say that know none: then the zip's own time counts."""


def pack(folder: Path, target: Path) -> list[str]:
    """Write a zip of the files in `folder` and of their manifest, and return their names.

    The same files make the same bytes on every machine: they are in order, not compressed, and bear no times.

    Raises:
        UsageError: a name cannot stand in a zip.
    """
    digests = _digests(folder)
    for name in digests:
        if "\\" in name:
            raise UsageError(f"{name}: zips take a backslash, or what it stands for here, for a folder: rename it")
    lines = "".join(f"{digest}  {name}\n" for name, digest in digests.items())
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(_member(MANIFEST_FILE), lines)
        for name in digests:
            with (folder / name).open("rb") as content, archive.open(_member(name), "w") as copy:
                shutil.copyfileobj(content, copy)
    return list(digests)


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _NO_TIME)
    info.create_system = 3  # Unix, wherever it is written
    info.external_attr = 0o100644 << 16
    return info


def is_packed(file: Path) -> bool:
    """Whether it is a zip that `pack` wrote."""
    return (MANIFEST_FILE,) in zip_names(file)


def manifest_taken_out(folder: Path) -> tuple[str, ...]:
    """Remove the manifest from a staged hand-in; notes on what is no longer as it says."""
    manifest = folder / MANIFEST_FILE
    if not manifest.is_file():
        return ()
    packed = _read(manifest)
    manifest.unlink()
    if packed is None:
        return (f"{MANIFEST_FILE} is not one that 'harness submit' wrote: there is nothing to compare the files with",)
    changes = list(_changes(packed, _digests(folder)))
    return (f"since 'harness submit' packed it: {'; '.join(changes)}",) if changes else ()


def _changes(packed: dict[str, str], now: dict[str, str]) -> Iterator[str]:
    kept = packed.keys() & now.keys()
    found = {
        "changed": (name for name in kept if packed[name] != now[name]),
        "missing": packed.keys() - kept,
        "added": now.keys() - kept,
    }
    for what, names in found.items():
        if listed := _listed(names):
            yield f"{what}: {listed}"


def _listed(names: Iterable[str]) -> str:
    short = [name[:_NAME_CHARACTERS] for name in sorted(names)]
    more = f" and {len(short) - _NAMED} more" if len(short) > _NAMED else ""
    return ", ".join(short[:_NAMED]) + more


def _read(manifest: Path) -> dict[str, str] | None:
    """Digests by name; None where a line is none of a manifest's."""
    if manifest.stat().st_size > _LIMIT_BYTES:
        return None
    lines = [_LINE.fullmatch(each) for each in manifest.read_text("utf-8", "replace").splitlines()]
    return {each[2]: each[1] for each in lines if each} if lines and all(lines) else None


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file, by its name with slashes, in order."""
    found = {}
    for file in sorted(each for each in folder.rglob("*") if each.is_file()):
        with file.open("rb") as content:
            found[file.relative_to(folder).as_posix()] = hashlib.file_digest(content, "sha256").hexdigest()
    return found
