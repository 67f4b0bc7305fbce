"""Measure a curve's points: on which images, and what stands beside the accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from harness_accuracy import accuracy
from harness_sizes.canonical import state_bytes
from numpy.typing import NDArray

from harness.api import Context, Examples, Images, Metric, Network, Options, Series, Student, SubmissionError
from harness.api.logits import predicted_classes
from harness.api.weights import nonzero_elements, stored_elements

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Shrunk:
    """A network made smaller: the student's own with other weights, or one with fewer channels."""

    network: Network
    weights: Mapping[str, Tensor]

    def recalibrated(self, images: Images) -> Shrunk:
        """With BatchNorm's statistics gathered anew."""
        return Shrunk(self.network, self.network.recalibrated(images, self.weights))


class _Counted:
    """MACs of the network that was asked about last: all points of an unstructured curve have the same."""

    def __init__(self) -> None:
        self._last: tuple[Network, int | None] | None = None

    def macs(self, network: Network) -> int | None:
        """None where its operations cannot be counted, which is no reason to have no curve."""
        if self._last is None or self._last[0] is not network:
            try:
                self._last = network, network.macs()
            except SubmissionError:
                self._last = network, None
        return self._last[1]


@dataclass(frozen=True)
class Ruler:
    """Measures the accuracy of a student with other weights, always on the same images."""

    student: Student
    examples: Examples
    counted: _Counted = field(default_factory=_Counted)

    @classmethod
    def of(cls, student: Student, context: Context[Options], images: int | None) -> Ruler:
        """On all graded images, or on `images` of them, evenly spaced: numbers floor(i·N / images).

        That keeps classes in proportion whether the data is shuffled or sorted by class.
        """
        graded = context.examples
        total = len(graded.labels)
        if images is None or images >= total:
            return cls(student, graded)
        return cls(student, subset(graded, evenly(total, images)))

    def accuracy(self, weights: Mapping[str, Tensor] | None = None, network: Network | None = None) -> Metric:
        """Of `network`, or of the student's own; raises SubmissionError when the forward pass fails."""
        logits = (network or self.student).logits(self.examples.images, weights)
        return accuracy(predicted_classes(logits).numpy() == self.examples.labels)

    def point(self, shrunk: Shrunk) -> Point:
        """X is the parameters that are left, exact zeros not included; sparsity, MACs and bytes stand beside it.

        Raises:
            SubmissionError: the forward pass fails.
        """
        student, weights = self.student, shrunk.weights
        aliases = student.facts.aliases if shrunk.network is student else ()
        left, stored = nonzero_elements(weights, aliases), stored_elements(student.weights, student.facts.aliases)
        beside = {"sparsity": 1 - left / stored, "bytes": state_bytes(student, weights, aliases)}
        macs = self.counted.macs(shrunk.network)
        return Point(left, self.accuracy(weights, shrunk.network), beside | ({} if macs is None else {"macs": macs}))


def evenly(total: int, count: int) -> NDArray[np.int64]:
    """The numbers floor(i · total / count), or all of them where there are no more."""
    count = min(count, total)
    return np.arange(count, dtype=np.int64) * total // count


def subset(examples: Examples, chosen: NDArray[np.int64]) -> Examples:
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
    """Values for the fields of `Series` that are parallel to its points: `sparsity`, `bits`, `macs`, `bytes`."""


def series(label: str, points: list[Point], *, of_student: bool = False) -> Series:
    """The points with their intervals, in the order given; what is not known of all of them is left out.

    Args:
        of_student: whether the label is in the student's own words.
    """
    parallel: dict[str, list[float]] = {}
    for point in points:
        low, high = point.accuracy.low, point.accuracy.high
        assert low is not None
        assert high is not None
        for name, value in {"low": low, "high": high, **point.beside}.items():
            parallel.setdefault(name, []).append(value)
    pairs = [(point.x, point.accuracy.value) for point in points]
    known = {name: values for name, values in parallel.items() if len(values) == len(points)}
    return Series.model_validate({"label": label, "points": pairs, "of_student": of_student, **known})
