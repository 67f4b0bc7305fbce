"""What all measured curves share: which images they are measured on, and a point's accuracy with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from harness_accuracy import accuracy

from harness.api import Context, Examples, Metric, Series, Student

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Ruler:
    """Measures the accuracy of a student with other weights, always on the same images."""

    student: Student
    examples: Examples

    @classmethod
    def of(cls, student: Student, context: Context, images: int | None) -> Ruler:
        """On all graded images, or on `images` of them, evenly spaced: numbers floor(i·N / images).

        That keeps classes in proportion whether the data is shuffled or sorted by class.
        """
        graded = context.examples
        total = len(graded.labels)
        if images is None or images >= total:
            return cls(student, graded)
        chosen = np.arange(images, dtype=np.int64) * total // images
        return cls(student, subset(graded, chosen))

    def accuracy(self, weights: Mapping[str, Tensor] | None = None) -> Metric:
        """Raises SubmissionError when the forward pass fails."""
        logits = self.student.logits(self.examples.images, weights)
        return accuracy(logits.argmax(dim=1).numpy() == self.examples.labels)


def subset(examples: Examples, chosen: np.ndarray[Any, np.dtype[np.int64]]) -> Examples:
    """The examples of these numbers, in this order."""
    import torch

    images = replace(examples.images, pixels=examples.images.pixels[torch.from_numpy(chosen)])
    names = tuple(examples.names[each] for each in chosen)
    return Examples(images, examples.labels[chosen], names, examples.classes)


@dataclass(frozen=True)
class Point:
    """One point of a curve: what it costs, what it reaches."""

    x: float
    accuracy: Metric
    beside: Mapping[str, float] = field(default_factory=dict)
    """Values for the fields of `Series` that are parallel to its points: `sparsity`, `bits`."""


def series(label: str, points: list[Point]) -> Series:
    """The points with their intervals, in the order given."""
    parallel: dict[str, list[float]] = {}
    for point in points:
        low, high = point.accuracy.low, point.accuracy.high
        assert low is not None
        assert high is not None
        for name, value in {"low": low, "high": high, **point.beside}.items():
            parallel.setdefault(name, []).append(value)
    pairs = [(point.x, point.accuracy.value) for point in points]
    return Series.model_validate({"label": label, "points": pairs, **parallel})
