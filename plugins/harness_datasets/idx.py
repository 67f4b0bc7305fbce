"""Read IDX files, the format of MNIST and Fashion-MNIST (http://yann.lecun.com/exdb/mnist/, "file formats")."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray

from harness.api import Dataset, RawExamples, UsageError, hookimpl

if TYPE_CHECKING:
    from PIL import Image


class IdxDataset:
    """One `*-images-idx3-ubyte[.gz]` and one `*-labels-idx1-ubyte[.gz]`; the test set where both sets are there."""

    name = "idx"

    def load(self, folder: Path) -> RawExamples:
        images = read_idx(_only(folder, "images-idx3-ubyte"), dimensions=3)
        labels = read_idx(_only(folder, "labels-idx1-ubyte"), dimensions=1)
        if len(images) != len(labels):
            raise UsageError(f"{folder}: {len(images):,} images but {len(labels):,} labels")
        names = tuple(str(index) for index in range(len(labels)))
        return RawExamples(_Pictures(images), labels.astype(np.int64), names)

    def copy_part(self, folder: Path, target: Path, names: Collection[str]) -> None:
        """See `harness.api.CopiesPart`; images are numbered anew."""
        for kind, dimensions in (("images-idx3-ubyte", 3), ("labels-idx1-ubyte", 1)):
            array = read_idx(_only(folder, kind), dimensions=dimensions)
            part = array[[index for index in range(len(array)) if str(index) in names]]
            sizes = b"".join(size.to_bytes(4) for size in part.shape)
            (target / f"test-{kind}").write_bytes(bytes([0, 0, 0x08, dimensions]) + sizes + part.tobytes())


def read_idx(path: Path, *, dimensions: int) -> NDArray[np.uint8]:
    """The array of one IDX file of unsigned bytes.

    Raises:
        UsageError: not such a file, or shorter than its header says.
    """
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path}: {error}") from error
    start = 4 + 4 * dimensions
    if len(data) < start or data[:4] != bytes([0, 0, 0x08, dimensions]):
        raise UsageError(f"{path}: not an IDX file of unsigned bytes in {dimensions} dimension(s)")
    shape = tuple(int(each) for each in np.frombuffer(data, dtype=">u4", count=dimensions, offset=4))
    if len(data) - start != int(np.prod(shape)):
        raise UsageError(f"{path}: {len(data) - start:,} bytes of data, but its header says {shape}")
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)


def _only(folder: Path, kind: str) -> Path:
    found = sorted(path for path in folder.iterdir() if path.name.removesuffix(".gz").endswith(kind))
    tests = [path for path in found if path.name.startswith(("t10k", "test"))]
    chosen = tests if len(found) > 1 else found
    if len(chosen) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise UsageError(f"{folder}: expected one file …{kind} or …{kind}.gz, found {names}")
    return chosen[0]


@dataclass(frozen=True)
class _Pictures(Sequence["Image.Image"]):
    pixels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.pixels)

    @overload
    def __getitem__(self, index: int) -> Image.Image: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Image.Image]: ...
    def __getitem__(self, index: int | slice) -> Image.Image | Sequence[Image.Image]:
        if isinstance(index, slice):
            return _Pictures(self.pixels[index])
        return _picture(self.pixels[index])

    def __iter__(self) -> Iterator[Image.Image]:
        return map(_picture, self.pixels)


def _picture(pixels: NDArray[np.uint8]) -> Image.Image:
    from PIL import Image

    return Image.fromarray(pixels)


@hookimpl
def harness_datasets() -> Iterable[Dataset]:
    return [IdxDataset()]
