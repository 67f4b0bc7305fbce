"""Hide all but the code of a submission's sources while a second instance of its network is built."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.networks.bare_sources import write_bare
from harness.sandbox.rooms import room

if TYPE_CHECKING:
    from harness.submission.reading import Submission


@contextmanager
def sources_alone(submission: Submission) -> Iterator[None]:
    """Put a folder of the same name in the submission's place that holds the code of its sources and nothing else.

    What a class reads from a file, a comment or a folder's name was not constructed.
    """
    folder = submission.folder
    with room() as elsewhere:
        whole = elsewhere / "whole"
        shutil.move(folder, whole)
        try:
            folder.mkdir()
            for each in submission.sources:
                write_bare(whole / each, folder / each)
            yield
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.move(whole, folder)
