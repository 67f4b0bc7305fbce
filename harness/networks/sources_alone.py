"""Hide a submission's files but for its sources, so that a network is built from what its code computes alone."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.submission.reading import Submission


@contextmanager
def sources_alone(submission: Submission) -> Iterator[None]:
    """Everything but sources is out of every worker's sight: what a class reads from a file was not constructed."""
    folder, sources = submission.folder, set(submission.sources)
    hidden = [each.relative_to(folder) for each in folder.rglob("*") if each.is_file()]
    with tempfile.TemporaryDirectory(prefix="harness-hidden-") as elsewhere:
        moved = [
            (folder / each, Path(elsewhere, str(number))) for number, each in enumerate(hidden) if each not in sources
        ]
        for file, place in moved:
            shutil.move(file, place)
        try:
            yield
        finally:
            for file, place in moved:
                shutil.move(place, file)
