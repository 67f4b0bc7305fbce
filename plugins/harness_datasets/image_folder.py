"""Read folders of image files: one sub-folder per class, or Food-11's `{class}_{id}.jpg` names."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np

from harness.api import Dataset, RawExamples, UsageError, hookimpl
from harness.api.files import import_torchvision

if TYPE_CHECKING:
    from PIL import Image

_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
_FOOD11 = re.compile(r"(\d+)_(\d+)")


class ImageFolder:
    """One sub-folder per class, numbered in the order of their names as torchvision's ImageFolder does."""

    name = "image_folder"

    def load(self, folder: Path) -> RawExamples:
        datasets = import_torchvision().datasets
        try:
            samples = datasets.ImageFolder(str(folder)).samples
        except FileNotFoundError as error:
            raise UsageError(f"{folder}: expected one sub-folder of images per class; {error}") from error
        paths = [Path(path) for path, _ in samples]
        return _examples(folder, paths, [label for _, label in samples])

    def copy_part(self, folder: Path, target: Path, names: Collection[str]) -> None:
        """See `harness.api.CopiesPart`.

        Raises:
            UsageError: a class has none of these images, so that classes would be numbered otherwise.
        """
        classes = {each.name for each in folder.iterdir() if each.is_dir()}
        if lacking := sorted(classes - {name.partition("/")[0] for name in names}):
            raise UsageError(f"{folder}: the class {lacking[0]} has none of the images that are copied")
        _copy(folder, target, names)


class Food11:
    """Files named `{class}_{id}.jpg`, sorted by class and id as numbers; other image files are refused."""

    name = "food11"

    def load(self, folder: Path) -> RawExamples:
        paths = [path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES]
        parsed = {path: _FOOD11.fullmatch(path.stem) for path in paths}
        unlabelled = sorted(path.name for path, match in parsed.items() if match is None)
        if unlabelled or not paths:
            found = f"{len(unlabelled)} others such as {unlabelled[0]}" if unlabelled else "no image files"
            raise UsageError(f"{folder}: expected files named {{class}}_{{id}}.jpg, found {found}")
        keyed = sorted((int(match[1]), int(match[2]), path) for path, match in parsed.items() if match)
        return _examples(folder, [path for _, _, path in keyed], [label for label, _, _ in keyed])

    def copy_part(self, folder: Path, target: Path, names: Collection[str]) -> None:
        """See `harness.api.CopiesPart`."""
        _copy(folder, target, names)


@dataclass(frozen=True)
class _Files(Sequence["Image.Image"]):
    paths: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> Image.Image: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Image.Image]: ...
    def __getitem__(self, index: int | slice) -> Image.Image | Sequence[Image.Image]:
        if isinstance(index, slice):
            return _Files(self.paths[index])
        from PIL import Image

        with Image.open(self.paths[index]) as image:
            image.load()
            return image

    def __iter__(self) -> Iterator[Image.Image]:
        return (self[index] for index in range(len(self)))


def _copy(folder: Path, target: Path, names: Collection[str]) -> None:
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, target / name)


def _examples(folder: Path, paths: list[Path], labels: list[int]) -> RawExamples:
    names = tuple(path.relative_to(folder).as_posix() for path in paths)
    return RawExamples(_Files(tuple(paths)), np.array(labels, dtype=np.int64), names)


@hookimpl
def harness_datasets() -> Iterable[Dataset]:
    return [ImageFolder(), Food11()]
