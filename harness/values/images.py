"""Define images: as they lie on disk, decoded, and labelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Images:
    """Decoded images, shared read-only with the workers.

    Attributes:
        pixels: uint8 [N, channels, S, S]; the worker computes `(pixels / 255 - mean) / std` in float32, as
            torchvision's ToTensor and Normalize do.
    """

    pixels: Tensor
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Labelled images of one data set in its own order. Labels never leave the grader."""

    images: Images
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    classes: int


@dataclass(frozen=True, slots=True, eq=False)
class RawExamples:
    """Images as they lie on disk, decoded one by one when asked.

    Attributes:
        images: Pillow images, lazily decoded.
        labels: int64 [N].
        names: what identifies each image, such as its file name or index.
    """

    images: Sequence[Image.Image]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
