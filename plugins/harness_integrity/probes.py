"""Probe the network: each probe is one or two ordinary evaluations with other weights, images or batches.

Cost in images of a sample of n: the reference n, scrub n/2, noise n/2, 7n/16 for `harness_integrity.processes` and n/16
for `harness_integrity.counts.weights_used_check`; and 4n for noise on images: 6.5n in all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.api import Check, Examples, Images, Student, SubmissionError
from harness.api.logits import predicted_classes
from harness.api.weights import stored_tensors

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SURE = 1e-6
"""Largest probability of a finding by chance alone, for the tests against a fixed share."""
_ONE_SIDED = 1e-4
"""The same for changes that go from right to wrong more often than back."""
_SQUARE = 4
"""Side of the squares, in pixels, in which noise on images moves."""
_MIN_KEPT_SHARE = 0.5
"""Share of the advantage over guessing that must survive scrubbing, in both permutations, to be a finding."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Images in a shuffled order of our own, with their labels (int64 [n])."""

    images: Images
    labels: Tensor
    rows: Tensor
    """Where each stands in the data, int64 [n]."""

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, start: int, stop: int) -> Images:
        return replace(self.images, pixels=self.images.pixels[start:stop])

    def picked(self, rows: Tensor) -> Images:
        return replace(self.images, pixels=self.images.pixels[rows])

    @property
    def guessing(self) -> float:
        """Accuracy of always giving the most frequent class."""
        return float(self.labels.bincount().max()) / len(self)

    def guessed(self, predictions: Tensor) -> bool:
        """Whether predictions cannot be told from guessing: then there is nothing that hidden weights could add."""
        return not more_than(int((predictions == self.labels).sum()), len(self), self.guessing)


@dataclass(frozen=True, eq=False)
class Reference:
    """The network's answers as handed in."""

    logits: Tensor
    predictions: Tensor
    right: Tensor
    """bool [n]."""
    guesses: bool
    """See `Sample.guessed`."""

    @classmethod
    def of(cls, student: Student, sample: Sample) -> Reference:
        """Run the network on the whole sample.

        Raises:
            SubmissionError: it cannot be run.
        """
        logits = student.logits(sample.images)
        predictions = predicted_classes(logits)
        return cls(logits, predictions, predictions == sample.labels, sample.guessed(predictions))

    @property
    def accuracy(self) -> float:
        return float(self.right.float().mean())


def take_sample(examples: Examples, images: int, seed: int) -> Sample:
    """One image from each of `images` equal stretches of the data, then shuffled."""
    import torch

    count = min(images, len(examples.labels))
    random = np.random.default_rng(seed)
    edges = np.arange(count + 1) * len(examples.labels) // count
    # One image of each stretch, not every k-th: data that repeats its classes in turn would give only some of them.
    rows = random.permutation(random.integers(edges[:-1], edges[1:]))
    picked = replace(examples.images, pixels=examples.images.pixels[torch.from_numpy(rows)])
    return Sample(picked, torch.from_numpy(examples.labels[rows]), torch.from_numpy(rows))


def scrub_check(student: Student, sample: Sample, reference: Reference, seed: int) -> Check:
    """Accuracy with the elements of every counted tensor shuffled, under two permutations."""
    name = "integrity_scrub"
    if reference.guesses:
        return Check.passed(name, _nothing_to_lose(reference))
    quarter = len(sample) // 4
    kept = []
    for index in range(2):
        part = slice(index * quarter, (index + 1) * quarter)
        try:
            logits = student.logits(sample.part(part.start, part.stop), _scrubbed(student, seed + index))
        except SubmissionError as error:
            if error.status != "rejected":
                raise
            return Check.passed(name, "with its weights shuffled the network gives no usable answer, as it should")
        kept.append(int((predicted_classes(logits) == sample.labels[part]).sum()))
    shares = [hits / quarter for hits in kept]
    shown = " and ".join(f"{100 * share:.1f} %" for share in shares)
    floor = sample.guessing + _MIN_KEPT_SHARE * (reference.accuracy - sample.guessing)
    if all(more_than(hits, quarter, sample.guessing) and hits / quarter > floor for hits in kept):
        return Check.failed(
            name,
            f"Every tensor of the weights file was shuffled, twice, and the network still gets {shown} of the images "
            f"right ({100 * reference.accuracy:.1f} % before; guessing gives {100 * sample.guessing:.1f} %). What it "
            "knows does not come from the weights that were counted, but from numbers elsewhere: in the code, a seed, "
            "a file, or a state kept from before. This does not say where, or that it was meant.",
            "look in the source for literals, files it opens, seeded random numbers, and overridden loading",
        )
    return Check.passed(
        name, f"accuracy falls from {100 * reference.accuracy:.1f} % to {shown} when the weights are shuffled"
    )


def noise_check(
    student: Student, sample: Sample, reference: Reference, *, size: float, tolerated: float, seed: int
) -> Check:
    """Predictions with every weight changed by about one part in ten thousand."""
    name = "integrity_noise"
    half = len(sample) // 2
    try:
        logits = student.logits(sample.part(0, half), _noisy(student, size, seed))
    except SubmissionError as error:
        return broken(name, f"every weight was multiplied by 1 + {size:g}·N(0, 1)", error)
    changes = _Changes.of(reference.predictions[:half], sample.labels[:half], logits)
    if not reference.guesses and changes.finding(tolerated):
        return Check.failed(
            name,
            f"Every weight was multiplied by 1 + {size:g}·N(0, 1), less than rounding to 16 bits does, and {changes}. "
            "Trained networks do not notice this; numbers packed into the last bits of others are destroyed by it. "
            "A network that is extremely sensitive to rounding looks the same: compare its accuracy in fp16.",
            "look for weights that are taken apart: view(torch.int32), bit shifts, floor and remainder",
        )
    return Check.passed(name, f"{changes} when each weight changes by one part in {1 / size:,.0f}")


def image_noise_check(student: Student, sample: Sample, before: Tensor, *, tolerated: float, seed: int) -> Check:
    """Predictions with every pixel one level of 255 lighter or darker.

    Args:
        before: the classes of the unchanged images, int64 [n].
    """
    name = "integrity_image_noise"
    try:
        logits = student.logits(_noisy_images(sample.images, seed))
    except SubmissionError as error:
        return broken(name, "every pixel was made one level of 255 lighter or darker", error)
    changes = _Changes.of(before, sample.labels, logits)
    if not sample.guessed(before) and changes.finding(tolerated):
        return Check.failed(
            name,
            f"Every grey pixel was made one level of 255 lighter or darker, which nobody can see, and {changes}. "
            "Images looked up in a table are not found then; a trained network hardly changes its mind, and gains "
            "as often as it loses. A table that is searched by likeness, not by exact pixels, does not show here.",
            "look for hashes, sums or exact comparisons of the input, and for tables in the code",
        )
    return Check.passed(name, f"{changes} when each pixel changes by one level of 255")


def scale(logits: Tensor) -> float:
    """The size of the largest finite logit."""
    return float(logits.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0).abs().max())


def gaps(one: Tensor, other: Tensor) -> Tensor:
    """The largest difference between the logits of each image; infinite where only one of two is not a number."""
    equal = (one == other) | (one.isnan() & other.isnan())
    apart = (one - other).abs().nan_to_num(nan=float("inf"), posinf=float("inf"))
    return apart.masked_fill(equal, 0).amax(dim=1)


@dataclass(frozen=True)
class _Changes:
    """How predictions changed under a probe that honest networks do not notice."""

    count: int
    changed: int
    lost: int
    """Right before, wrong after."""
    gained: int

    @classmethod
    def of(cls, before: Tensor, labels: Tensor, logits: Tensor) -> _Changes:
        after = predicted_classes(logits)
        right, right_after = before == labels, after == labels
        return cls(
            len(after),
            int((after != before).sum()),
            int((right & ~right_after).sum()),
            int((~right & right_after).sum()),
        )

    def finding(self, tolerated: float) -> bool:
        """More changes from right to wrong than back, beyond chance: by more than the tolerated share of the images,
        and more than half of them.

        A network at the edge between two classes changes its mind as often for the better (the exact McNemar test);
        only what was known of these very weights or images gets lost one way.
        """
        return more_than(self.lost - self.gained, self.count, tolerated, _ONE_SIDED) and more_than(
            self.lost, self.lost + self.gained, 0.5, _ONE_SIDED
        )

    def __str__(self) -> str:
        return (
            f"{self.changed} of {self.count} predictions change ({self.lost} from right to wrong, "
            f"{self.gained} from wrong to right)"
        )


def broken(name: str, done: str, error: SubmissionError) -> Check:
    """A probe no honest network notices made this one fail; too slow or too large may be the machine's doing."""
    if error.status not in {"rejected", "crashed"}:
        raise error
    return Check.failed(
        name,
        f"The network runs as handed in, but when {done} it fails: {error.reason}. Trained networks do not notice "
        "this. It does not say what the code does with its input, only that a change that should not matter does.",
        "read what the code checks before it answers",
    )


def _scrubbed(student: Student, seed: int) -> dict[str, Tensor]:
    """The weights with the elements of every counted tensor shuffled; running statistics and masks stay.

    Statistics stay so that a network which uses them as weights, uncounted, shows it by keeping its accuracy.
    """
    import torch

    random = generator(seed)
    uncounted = _uncounted(student)
    return {
        name: each
        if name in uncounted or not each.is_floating_point()
        else each.reshape(-1)[torch.randperm(each.numel(), generator=random)].reshape(each.shape)
        for name, each in student.weights.items()
    }


def _noisy(student: Student, size: float, seed: int) -> dict[str, Tensor]:
    """The weights, statistics included, with relative noise; in float32, where 16 bits would round the noise away."""
    import torch

    random = generator(seed)
    masks = {f"{name}_mask" for name in student.masks}
    return {
        name: each
        if name in masks or not each.is_floating_point()
        else each.to(torch.float32) * (1 + size * torch.randn(each.shape, generator=random))
        for name, each in student.weights.items()
    }


def _noisy_images(images: Images, seed: int) -> Images:
    """Every pixel one level up or down, the same in all channels so that grey stays grey.

    In every other image each for itself; in the others four by four together, so that means of a few pixels move too.
    Black and white stay: a background that became lighter as a whole would be more than noise.
    """
    import torch

    pixels = images.pixels.to(torch.int16)
    height, width = pixels.shape[2:]
    up = torch.randint(0, 2, (len(pixels), 1, height, width), generator=generator(seed), dtype=torch.int16)
    coarse = up[1::2, :, ::_SQUARE, ::_SQUARE].repeat_interleave(_SQUARE, 2).repeat_interleave(_SQUARE, 3)
    up[1::2] = coarse[:, :, :height, :width]
    step = 2 * up - 1
    moved = torch.where((pixels == 0) | (pixels == 255), pixels, pixels + step)
    return replace(images, pixels=moved.to(torch.uint8))


def _uncounted(student: Student) -> set[str]:
    """Names of running statistics and masks."""
    statistics = set(student.decoded) - set(stored_tensors(student.decoded, ()))
    return statistics | {f"{name}_mask" for name in student.masks}


def more_than(hits: int, count: int, share: float, probability: float = SURE) -> bool:
    """Whether `hits` of `count` cannot be had by chance where each has probability `share`."""
    from scipy.stats import binomtest

    return count > 0 and hits > 0 and bool(binomtest(hits, count, share, alternative="greater").pvalue < probability)


def _nothing_to_lose(reference: Reference) -> str:
    return f"with {100 * reference.accuracy:.1f} % right the network is not better than guessing: nothing to look for"


def generator(seed: int) -> torch.Generator:
    import torch

    return torch.Generator().manual_seed(seed)
