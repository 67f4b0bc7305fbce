"""Decode a data folder's images once, for all workers to share.

Images are decoded and resized once per data set and size, kept as uint8, and normalised by the worker batch by batch in
float32 exactly as torchvision's ToTensor and Normalize would.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray

from harness.assignment.loading import Assignment
from harness.contracts.formats import Dataset
from harness.errors import HarnessError, UsageError
from harness.plugins.faults import blaming, broken, expect, package_of, raised_by, said_at
from harness.plugins.kinds import DATASET
from harness.torchvision_import import import_torchvision
from harness.values.images import Examples, Images, RawExamples
from harness.values.rules import DataRules, ImageRules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from PIL import Image
    from torch import Tensor


def load_examples(
    assignment: Assignment, name: str, size: int, datasets: Mapping[str, Dataset], sample: int | None = None
) -> Examples:
    """Decode the data set `[data.<name>]` at `size` x `size` pixels.

    Args:
        sample: decode at most so many of the images, evenly spaced and then shuffled, always in the same way.

    Raises:
        UsageError: the folder does not hold such data, or labels or sizes do not fit the assignment.
        PluginError: the plugin that reads it failed.
    """
    rules = assignment.rules
    dataset = datasets[rules.data[name].dataset]
    raw = raw_examples(dataset, assignment.data_paths[name])
    where = f"data.{name} ({assignment.data_paths[name]})"
    if not len(raw.labels):
        raise UsageError(f"{where}: no images found")
    if raw.labels.min() < 0 or raw.labels.max() >= rules.images.classes:
        wrong = sorted({int(each) for each in raw.labels if not 0 <= each < rules.images.classes})
        raise UsageError(f"{where}: labels {wrong} are outside 0…{rules.images.classes - 1} (images.classes)")
    if sample is not None:
        raw = _sampled(raw, min(sample, len(raw.labels)))
    pixels = _decode(raw, dataset, rules.images, size, where)
    images = Images(pixels, rules.images.channels, rules.images.mean, rules.images.std)
    return Examples(images, raw.labels.astype(np.int64), raw.names, rules.images.classes)


def public_images(names: tuple[str, ...], rules: DataRules) -> NDArray[np.bool_]:
    """The `public_part` of a folder, bool [N]; all of it where it holds public images alone."""
    return public_part(names, None if rules.public_only else rules.public_fraction)


def raw_examples(dataset: Dataset, folder: Path) -> RawExamples:
    """What a plugin reads, undecoded.

    Raises:
        UsageError: the folder does not hold such data.
        PluginError: the plugin failed, or what it read does not fit together.
    """
    with blaming(DATASET, dataset, "load"):
        raw = expect(DATASET, dataset, "load", dataset.load(folder), RawExamples)
        counts = [len(raw.images), len(raw.labels), len(raw.names)]
    if len(set(counts)) > 1:
        said = "{} images, {} labels and {} names, which have to be as many".format(*counts)
        raise broken(DATASET, dataset, f"load() returned {said}")
    if not isinstance(raw.labels, np.ndarray) or raw.labels.ndim != 1 or raw.labels.dtype.kind not in "iu":
        advice = "write labels=np.array(labels, dtype=np.int64)"
        raise broken(DATASET, dataset, f"load() returned labels that are no array of integers [N]: {advice}")
    for name in raw.names:
        if not isinstance(name, str):
            raise broken(DATASET, dataset, f"load() returned the name {name!r}, which is no text: write str(name)")
    return raw


def public_part(names: tuple[str, ...], fraction: float | None) -> NDArray[np.bool_]:
    """Which images are public, bool [N].

    Decided by each image's own name, so the split does not depend on the order or on the other images; the share of
    public images is `fraction` to the nearest image.
    """
    if fraction is None:
        return np.ones(len(names), dtype=bool)
    keys = [hashlib.sha256(f"public split:{name}".encode()).digest() for name in names]
    chosen = sorted(range(len(names)), key=keys.__getitem__)[: max(1, round(fraction * len(names)))]
    public = np.zeros(len(names), dtype=bool)
    public[chosen] = True
    return public


def only(examples: Examples, mask: NDArray[np.bool_]) -> Examples:
    """The examples where `mask` holds, in order."""
    import torch

    images = replace(examples.images, pixels=examples.images.pixels[torch.from_numpy(mask)])
    names = tuple(name for name, chosen in zip(examples.names, mask, strict=True) if chosen)
    return replace(examples, images=images, labels=examples.labels[mask], names=names)


def digest_of_pixels(images: Images) -> str:
    """Of images without labels."""
    content = hashlib.sha256(f"{tuple(images.pixels.shape)}".encode())
    content.update(np.ascontiguousarray(images.pixels.numpy()).data)
    return f"sha256:{content.hexdigest()}"


def digest(examples: Examples) -> str:
    """Of pixels, labels and names: equal digests mean that grades can be compared image by image."""
    content = hashlib.sha256()
    for part in (examples.images.pixels.numpy(), examples.labels.astype("<i8")):
        content.update(f"{part.dtype.str}{part.shape}".encode())
        content.update(np.ascontiguousarray(part).data)
    content.update("\0".join(examples.names).encode("utf-8", "surrogateescape"))
    return f"sha256:{content.hexdigest()}"


def _sampled(raw: RawExamples, count: int) -> RawExamples:
    # Shuffled, because data sets are often sorted by class, and a batch should be like any other.
    chosen = np.random.default_rng(0).permutation(np.arange(count) * len(raw.labels) // count)
    return RawExamples(_Chosen(raw.images, chosen), raw.labels[chosen], tuple(raw.names[each] for each in chosen))


@dataclass(frozen=True)
class _Chosen(Sequence["Image.Image"]):
    images: Sequence[Image.Image]
    numbers: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> Image.Image: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Image.Image]: ...
    def __getitem__(self, index: int | slice) -> Image.Image | Sequence[Image.Image]:
        if isinstance(index, slice):
            return _Chosen(self.images, self.numbers[index])
        return self.images[int(self.numbers[index])]


def _decode(raw: RawExamples, dataset: Dataset, rules: ImageRules, size: int, where: str) -> Tensor:
    import torch

    transform = _transform(rules, size)
    stored = np.empty((len(raw.labels), rules.channels, size, size), dtype=np.uint8)
    for index in range(len(raw.labels)):
        try:
            picture = transform(_with_channels(_picture(raw, index, dataset), rules.channels))
        except HarnessError:
            raise
        except Exception as error:  # Pillow raises whatever comes to it: OSError, ValueError, SyntaxError, its own
            if raised_by(error, package_of(dataset)):
                said = f"reading {raw.names[index]} raised {said_at(error, package_of(dataset))}"
                raise broken(DATASET, dataset, said) from error
            advice = "save it anew as RGB or greyscale, or leave it out"
            raise UsageError(f"{where}: {raw.names[index]} cannot be decoded: {error}; {advice}") from error
        if picture.size != (size, size):
            width, height = picture.size
            raise UsageError(
                f"{where}: {raw.names[index]} has {width}x{height} pixels, not {size}x{size}; set images.resize"
            )
        stored[index] = np.asarray(picture).reshape(size, size, rules.channels).transpose(2, 0, 1)
    return torch.from_numpy(stored)


def _picture(raw: RawExamples, index: int, dataset: Dataset) -> Image.Image:
    from PIL import Image

    picture: object = raw.images[index]
    if not isinstance(picture, Image.Image):
        said = f"load() returned {raw.names[index]} as a {type(picture).__name__}, no Pillow image"
        raise broken(DATASET, dataset, f"{said}: write Image.fromarray(…) or Image.open(…)")
    return picture


def _with_channels(image: Image.Image, channels: int) -> Image.Image:
    if channels == 3:
        # Pillow repeats a grey value three times, which is what "greyscale to 3 channels" means everywhere.
        return image.convert("RGB")
    try:
        return image.convert("L")
    except ValueError:  # LAB, for one, has no direct way to grey
        return image.convert("RGB").convert("L")


def _transform(rules: ImageRules, size: int) -> Callable[[Image.Image], Image.Image]:
    if rules.resize == "none":
        return lambda image: image
    transforms = import_torchvision().transforms
    whole = rules.crop_from or size
    resize = transforms.Resize((whole, whole) if rules.resize == "stretch" else whole)
    crop: Callable[[Image.Image], Image.Image] = transforms.Compose([resize, transforms.CenterCrop(size)])
    return crop
