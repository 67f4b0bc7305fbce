"""Define what reads files: weights formats and data sets."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable

from harness.values.images import RawExamples


class WeightFormat(Protocol):
    """A weights file format, recognised by content and never by file name.

    One that is only recognised to be refused sets `only_refused = True`: such a file stands back for any other.
    """

    name: str

    def recognises(self, file: BinaryIO) -> bool:
        """Whether the open, seekable file is of this format. Runs in the grader: must not decode anything."""

    def decode(self, path: Path) -> Any:
        """The file's content as plain Python (usually a dict of tensors). Runs in the sandbox only."""


class Dataset(Protocol):
    """A kind of data folder."""

    name: str

    def load(self, folder: Path) -> RawExamples:
        """Raises UsageError when the folder does not hold such data; the text says what was expected."""


@runtime_checkable
class CopiesPart(Protocol):
    """A data set that can copy some of its images, to be handed out."""

    def copy_part(self, folder: Path, target: Path, names: Collection[str]) -> None:
        """Write those examples of `folder` to the empty folder `target`, so that `load` gives them in the same order.

        Args:
            names: as `load` names them.
        """
