"""Probe whether an image's answer depends on more than the image: its batch, what was asked before, the process.

A part of the sample is asked again in a second process that has seen nothing yet, in another order and in other
batches. Whatever the first process remembers, of the graded images or of the probes, the second cannot know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.api import Check, Metric, Student, SubmissionError
from harness.api.logits import predicted_classes
from harness_integrity.probes import SURE, Reference, Sample, broken, gaps, generator, scale

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Answers:
    """What was answered about some images of the sample, asked in some way."""

    how: str
    rows: Tensor
    """Of the sample."""
    logits: Tensor


def second_process(student: Student, sample: Sample, seed: int) -> list[Answers] | SubmissionError:
    """Some of the images one by one, and others in another order and in batches of 48; n/16 + n/4 images.

    Returns:
        The error when the network runs in the first process but not in the second.

    Raises:
        SubmissionError: it took too long or too much memory.
    """
    import torch

    order = torch.randperm(len(sample), generator=generator(seed))
    alone, among = order[-(len(sample) // 16) :], order[: len(sample) // 4]
    try:
        with student.again() as other:
            return [
                Answers("in another order", among, other.logits(sample.picked(among), batch_size=48)),
                Answers("one by one", alone, other.logits(sample.picked(alone), batch_size=1)),
            ]
    except SubmissionError as error:
        if error.status not in {"rejected", "crashed"}:
            raise
        return error


def batch_check(
    student: Student, sample: Sample, reference: Reference, fresh: list[Answers] | SubmissionError, *, tolerance: float
) -> Check:
    """The same images in a second process, alone and among others, and once more in the first: n/8 further images."""
    import torch

    name = "integrity_batch"
    if isinstance(fresh, SubmissionError):
        return broken(name, "a second process is asked", fresh)
    repeated = torch.arange(len(sample) // 8)
    try:
        again = Answers("a second time", repeated, student.logits(sample.picked(repeated)))
    except SubmissionError as error:
        return broken(name, "the images were given a second time", error)
    size = scale(reference.logits)
    different, largest = [], 0.0
    for each in (*fresh, again):
        gap = gaps(each.logits, reference.logits[each.rows])
        largest = max(largest, float(gap.max()))
        count = int((gap > tolerance * size).sum())
        if count:
            changed = int((predicted_classes(each.logits) != reference.predictions[each.rows]).sum())
            different.append(f"{count} of {len(each.rows)} {each.how} ({changed} in the class)")
    if different:
        return Check.failed(
            name,
            f"The same images with the same weights get other logits, off by up to {largest:.3g} where the largest is "
            f"{size:.3g}: {', '.join(different)}; the first two in a second process. The network uses other images of "
            "the batch, remembers earlier ones, learns from them, or draws random numbers: often BatchNorm or dropout "
            "left in training mode by mistake. This does not say which, or that it was meant.",
            "look for training=True, .train() in forward, dropout by hand, and attributes written in forward",
        )
    return Check.passed(
        name, f"alone, among others, again and in a second process: the same logits within {largest / (size or 1):.1g}"
    )


def sample_check(
    sample: Sample,
    reference: Reference,
    fresh: list[Answers] | SubmissionError,
    *,
    measured: Metric | None,
    graded: Sequence[int] | None,
    tolerance: float,
) -> Check:
    """What was graded against the shuffled sample, and against the second process image by image.

    Args:
        measured: the accuracy on all images in their own order.
        graded: the class that was graded for each of them.
    """
    name = "integrity_sample"
    if measured is None or graded is None:
        return Check.could_not_check(name, "no accuracy was measured: list `accuracy` before `integrity`")
    answers = [] if isinstance(fresh, SubmissionError) else fresh
    asked = sum(len(each.rows) for each in answers)
    other = sum(_other_classes(sample, each, graded, tolerance) for each in answers)
    hits, count = int(reference.right.sum()), len(reference.right)
    shown = f"{100 * reference.accuracy:.1f} % of {count:,} shuffled images, {100 * measured.value:.1f} % of all"
    if other:
        return Check.failed(
            name,
            f"A second process that had seen nothing yet was asked about {asked} of the graded images, with the same "
            f"weights, and puts {other} of them into another class than the one that was graded. The graded accuracy "
            "depends on the order of the images or on those before. This does not say that it was meant: training "
            "mode, random numbers or a state kept between batches do the same.",
            "look for counters, lists of answers, and attributes written in forward",
        )
    if _less_than(hits, count, measured.value):
        return Check.failed(
            name,
            f"The network is right for {shown} in their usual order: far less than chance explains. Its answers depend "
            "on the order of the images or on what was asked before, not on each image alone. This does not say that "
            "it was meant: training mode or a state kept between batches does the same.",
            "look for counters, lists of answers, and attributes written in forward",
        )
    return Check.passed(
        name, f"right for {shown} in their usual order; a second process gives {asked} images the graded class"
    )


def _other_classes(sample: Sample, answers: Answers, graded: Sequence[int], tolerance: float) -> int:
    """Images with another class than the graded one; where two logits are as good as equal, either will do."""
    import torch

    classes = torch.tensor(graded)[sample.rows[answers.rows]]
    chosen, named = predicted_classes(answers.logits), classes < answers.logits.shape[1]
    of_class = answers.logits.gather(1, classes.where(named, 0)[:, None])[:, 0]
    behind = answers.logits.amax(dim=1) - of_class
    close = named & (behind <= tolerance * scale(answers.logits))
    return int(((chosen != classes) & ~close).sum())


def _less_than(hits: int, count: int, share: float) -> bool:
    from scipy.stats import binomtest

    return bool(binomtest(hits, count, share, alternative="less").pvalue < SURE)
