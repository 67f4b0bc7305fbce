"""Keep what lies in a bulk download under names that the platform does not give: nothing is lost, nobody waits."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from pathlib import Path

from harness.submission.archives import archive_suffix, is_work_name
from harness.submission.entries import escape
from harness.submission.hand_in import Found, HandIn, Part
from harness.submission.staging import WEIGHTS_SUFFIXES


def is_handed_in(name: str, *, folder: bool) -> bool:
    """Whether something beside the files of a download looks like a hand-in, and not like a paper."""
    return folder or is_work_name(name) or Path(name).suffix.lower() in WEIGHTS_SUFFIXES


def with_strays(
    path: Path,
    prefix: str,
    hand_ins: Sequence[HandIn],
    items: Mapping[str, bool],
    matched: Container[str],
    *,
    left_out: Sequence[str] = (),
) -> Found:
    """The hand-ins of a download, and one under its own name of whatever else looks like one.

    Args:
        prefix: where the download starts inside `path`.
        items: name -> whether it is a folder, of all that is in it.
        matched: names of those that say whose they are.
        left_out: sentences on what is not graded.
    """
    others = {name: folder for name, folder in items.items() if name not in matched}
    taken = {each.id for each in hand_ins}
    found: dict[str, list[Part]] = {}
    for name in sorted(others):
        folder = others[name]
        if is_handed_in(name, folder=folder):
            stem = escape(_stem(name, folder=folder))
            identity = escape(name) if stem in taken else stem
            part = Part(f"{prefix}{name}", "" if folder else escape(name))
            found.setdefault(identity, []).append(part)
    note = "its name does not say who handed it in"
    strays = [HandIn(identity, path, tuple(parts), notes=(note,)) for identity, parts in found.items()]
    return Found((*hand_ins, *strays), tuple(left_out), len(hand_ins), len(items), tuple(map(escape, sorted(others))))


def _stem(name: str, *, folder: bool) -> str:
    if folder:
        return name
    suffix = archive_suffix(Path(name))
    return name[: -len(suffix)] if suffix else Path(name).stem
