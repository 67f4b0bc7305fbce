"""Leave of a staged hand-in what its code has business with: sources, weights, and what the assignment lets it read.

Outputs of notebooks, compiled modules, read-mes and whatever else was handed in are part of its digest, and are gone
before a line of it runs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from harness.errors import SubmissionError
from harness.submission.reading import Submission, with_shards
from harness.worker.sources.notebooks import Unreadable, without_outputs
from harness.worker.sources.text import decoded

_NOTEBOOK_LIMIT_BYTES = 64 << 20
"""Larger ones stay as they are: memory is short here, and what a network takes from their outputs counts anyway."""


def with_code_only(submission: Submission, readable: Sequence[str]) -> Submission:
    """The same, once its folder holds nothing but what its code may see; `hidden` names the rest.

    A notebook that cannot be read stays as it is, for whoever says what is wrong with it.

    Args:
        readable: patterns of the names of other files that stay, whatever their case.
    """
    folder, stays = submission.folder, _needed(submission)
    files = sorted(each.relative_to(folder) for each in folder.rglob("*") if each.is_file())
    hidden = [each for each in files if each not in stays and not _matches(each, readable)]
    for each in submission.sources:
        if each.suffix.lower() == ".ipynb":
            _strip(folder / each)
    for each in hidden:
        (folder / each).unlink()
    _remove_empty(folder)
    return replace(submission, hidden=tuple(each.as_posix() for each in hidden))


def hint_for(error: SubmissionError, submission: Submission) -> str | None:
    """What to do about a failure: where it names a file that was hidden, that it was; else what it says itself."""
    for hidden in submission.hidden:
        name = Path(hidden).name
        # A compiled module is missed by what stands before its first dot.
        if re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])|named '{re.escape(name.split('.')[0])}'", error.reason):
            return (
                f"{hidden!r} was handed in, but code sees sources (.py, .ipynb), weights files and the settings that "
                "'harness show' names, nothing else: write what it takes from there into the source"
            )
    return error.hint


def _needed(submission: Submission) -> set[Path]:
    folder = submission.folder
    further = [Path(each) for each in submission.settings.further_files().values()]
    weights = {each for one in (submission.weights, *further) for each in with_shards(folder, one)}
    return {*submission.sources, *weights, *([submission.predictions] if submission.predictions else [])}


def _matches(path: Path, patterns: Sequence[str]) -> bool:
    names = path.name.lower(), path.as_posix().lower()
    return any(fnmatchcase(name, pattern.lower()) for pattern in patterns for name in names)


def _strip(notebook: Path) -> None:
    if notebook.stat().st_size > _NOTEBOOK_LIMIT_BYTES:
        return
    try:
        text = without_outputs(notebook.name, decoded(notebook.read_bytes()))
    except Unreadable:
        return
    notebook.unlink()  # it is staged for reading alone
    notebook.write_text(text, encoding="utf-8", errors="surrogateescape")


def _remove_empty(folder: Path) -> None:
    for place, _, _ in os.walk(folder, topdown=False):
        if Path(place) != folder and not any(Path(place).iterdir()):
            Path(place).rmdir()
