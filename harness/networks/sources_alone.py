"""Hide all but the code of a submission's sources: what else lies there may have been learned, and nobody counts it.

A second instance of a network is built so, and a network that cannot be verified runs so if it can.
"""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from harness.errors import SubmissionError
from harness.networks.bare_sources import MOST_CHARACTERS, write_bare
from harness.networks.session import Weights
from harness.sandbox.rooms import room

if TYPE_CHECKING:
    from torch import Tensor

    from harness.submission.reading import Submission

_TOLERANCE = 1e-4
"""Of logits, as a share of the largest."""


@contextmanager
def sources_alone(submission: Submission, *, and_file: Path | None = None) -> Iterator[Path]:
    """Put a folder of the same name in the submission's place that holds the code of its sources and nothing else.

    What a class reads from a file, a comment or a folder's name was not constructed. Of very long sources, what goes
    beyond `MOST_CHARACTERS` is left out. Workers that live must be gone
    before and after: what they see changes.

    Args:
        and_file: one more that stays, by its path in the folder.

    Yields:
        Where all of it lies meanwhile, out of every worker's sight.
    """
    folder = submission.folder
    with room() as elsewhere:
        whole = elsewhere / "whole"
        shutil.move(folder, whole)
        try:
            folder.mkdir()
            left = MOST_CHARACTERS
            for each in submission.sources:
                left -= write_bare(whole / each, folder / each, left)
            if and_file is not None:
                (folder / and_file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(whole / and_file, folder / and_file)
            yield whole
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.move(whole, folder)


def hidden_bytes(whole: Path, bare: Path) -> dict[str, int]:
    """How many bytes, compressed, each file of `whole` has more than the one of its name in `bare`; largest first.

    What is in the names of files and folders counts as one more file.
    """
    names, bare_names = ([path.relative_to(top) for path in sorted(top.rglob("*"))] for top in (whole, bare))
    found = {each.as_posix(): _compressed(whole / each) - _compressed(bare / each) for each in names}
    found["(names)"] = _packed(names) - _packed(bare_names)
    return {name: found[name] for name in sorted(found, key=lambda name: (-found[name], name)) if found[name] > 0}


def _packed(names: Iterable[Path]) -> int:
    return len(zlib.compress("\n".join(map(str, names)).encode(errors="surrogateescape"), 1))


def _compressed(path: Path) -> int:
    if not path.is_file():
        return 0
    packer = zlib.compressobj(1)
    with path.open("rb") as file:
        size = sum(len(packer.compress(part)) for part in iter(lambda: file.read(1 << 20), b""))
    return size + len(packer.flush())


def same_answers(one: Weights | SubmissionError, other: Weights | SubmissionError) -> bool:
    """Whether a network answered alike twice: with the same logits, up to rounding, or with the same failure."""
    if isinstance(one, SubmissionError) or isinstance(other, SubmissionError):
        return str(one) == str(other)
    return one.keys() == other.keys() and all(_close(each, other[name]) for name, each in one.items())


def _close(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    scale = float(one.abs().nan_to_num(0, 0, 0).max()) if one.numel() else 0.0
    return torch.allclose(one, other, rtol=0, atol=_TOLERANCE * scale, equal_nan=True)
