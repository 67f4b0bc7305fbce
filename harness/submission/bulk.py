"""Recognise bulk downloads of Canvas, Moodle and Gradescope: who handed in which of the files.

    Canvas      <sortablename>[_LATE]_<user id>_<attachment id>_<file name>, all in one folder
    Moodle      <full name>_<participant id>_assignsubmission_file/<path>, a folder for each person
    Gradescope  submission_metadata.yml, and submission_<id>/<path> for each person or group

A download is recognised by these names, as a folder or as the .zip that was downloaded. Nothing is unpacked here: a
`HandIn` says which files are whose and what they were called, and `harness.submission` reads them.
"""

from __future__ import annotations

import re
from pathlib import Path

from harness.submission.archives import archive_suffix, zip_names
from harness.submission.canvas import _canvas
from harness.submission.entries import is_noise
from harness.submission.gradescope import _gradescope
from harness.submission.hand_in import Found
from harness.submission.moodle import _MOODLE, _moodle


def bulk_download(path: Path) -> Found | None:
    """The submissions of the download at `path`; None when it is none.

    Raises:
        UsageError: it is one, but not as it was downloaded.
    """
    prefix, items = _top(path)
    return _gradescope(path, prefix, items) or _moodle(path, prefix, items) or _canvas(path, prefix, items)


def _top(path: Path) -> tuple[str, dict[str, bool]]:
    """(where the download starts inside `path`, name -> whether it is a folder)."""
    if path.is_dir():
        items = {each.name: each.is_dir() for each in path.iterdir() if not each.is_symlink()}
        items = {name: folder for name, folder in items.items() if not is_noise((name,))}
        export = next(iter(items), "") if len(items) == 1 else ""
        if re.fullmatch(r"assignment_\d+_export", export):
            _, inner = _top(path / export)
            return f"{export}/", inner
        return "", items
    names = [each for each in zip_names(path) if not is_noise(each)] if archive_suffix(path) == ".zip" else []
    firsts = {each[0] for each in names}
    # One folder around everything comes from packing a download again; a single person's folder is no such thing.
    wrapped = len(firsts) == 1 and all(len(each) > 1 for each in names) and not _MOODLE.fullmatch(names[0][0])
    if wrapped:
        names = [each[1:] for each in names]
    return (f"{next(iter(firsts))}/" if wrapped else ""), {each[0]: len(each) > 1 for each in names}
