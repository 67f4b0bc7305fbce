"""Probe whether a network's answers come from the counted weights, and from the image in front of it.

The grader owns weights and images, so it may change either and look at what the answers do. Every finding is evidence
for a person, with what it cannot show; no shipped assignment takes points for one. `docs/integrity.md` says what each
probe does, what honest networks do, and what gets past it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from harness.api import (
    Check,
    CheckSpec,
    Context,
    Evaluation,
    Evaluator,
    Fraction,
    Options,
    Student,
    SubmissionError,
    hookimpl,
)
from harness_integrity.counts import counts_check, source_check, statistics_check, weights_used_check
from harness_integrity.probes import Reference, Sample, image_noise_check, noise_check, scrub_check, take_sample
from harness_integrity.processes import batch_check, sample_check, second_process
from harness_integrity.verified import NAME as VERIFIED
from harness_integrity.verified import verified_check

if TYPE_CHECKING:
    from torch import Tensor

_FEWEST_IMAGES = 64
_SLOW_FACTOR, _SLOW_SECONDS = 10, 10
"""A probe that is so much slower than the images themselves, and takes at least so long, is a finding."""
_MANY = 4
"""Images that get noise, per image of the sample: a table of three images in a hundred must show among them."""
_TOLD = ("integrity_counts", "integrity_statistics", "integrity_source")
_IMAGE_NOISE = "integrity_image_noise"
_RUNNING = (
    "integrity_scrub",
    "integrity_noise",
    "integrity_batch",
    _IMAGE_NOISE,
    "integrity_sample",
    "integrity_weights_used",
)


class IntegrityOptions(Options):
    """`[evaluators.integrity]`."""

    images: Annotated[int, Field(ge=_FEWEST_IMAGES)] = 512
    """Images in the sample, spread evenly over the data; all of them where there are fewer."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the sample, the permutations and the noise, together with the store's secret: the same store finds the same,
    and nobody can tell beforehand which images are looked at."""
    weight_noise: Annotated[float, Field(gt=0, le=0.01)] = 1e-4
    """Relative size of the noise on the weights (one standard deviation)."""
    changed: Fraction = 0.01
    """Share of the images that noise on weights or images may cost, losses less gains, before it is looked at."""
    same_logits: Annotated[float, Field(gt=0)] = 1e-4
    """How far the logits of one image may differ between batches, relative to the largest logit."""
    lookups: bool = False
    """Whether verified networks, too, are tried on images with noise, four times as many as `images`: where everybody
    knows the test images, a graph may look some of them up."""


class Integrity:
    """Probes whether answers come from the counted weights and from the image in front of the network.

    Of a verified network one check says what was verified and what stands outside, which costs nothing; with the option
    `lookups`, another one whether it looks images up. Any other network is probed on a sample of the images. A finding
    is a failed check. Where the network cannot be run under a probe, or there are fewer than 64 images, the check could
    not be made. A student's own check leaves out whatever has to run.
    """

    name = "integrity"
    Options = IntegrityOptions
    metrics = ()
    checks = tuple(CheckSpec(name, evidence=True) for name in (VERIFIED, *_TOLD, *_RUNNING))

    def evaluate(self, student: Student, context: Context[IntegrityOptions]) -> Evaluation:
        # What has to run is evidence for the instructor: in a student's own check it would be half of the time.
        runs = context.audience == "instructor"
        options = context.options
        if student.traced is not None:
            of_graph = verified_check(student, student.traced, context.examples.images)
            looked_up = _of_verified(student, context) if runs and options.lookups else ()
            return Evaluation(checks=(of_graph, *looked_up))
        beside = student.facts.beside
        told = (counts_check(student), statistics_check(student), *([source_check(beside)] if beside else []))
        if not runs:
            return Evaluation(checks=told)
        if len(context.examples.labels) < _FEWEST_IMAGES:
            return Evaluation(checks=(*told, *_unchecked(_RUNNING, f"fewer than {_FEWEST_IMAGES} images")))
        seed = _seed(options.seed, context.secret)
        sample = take_sample(context.examples, options.images, seed)
        started = time.monotonic()
        try:
            reference = Reference.of(student, sample)
        except SubmissionError as error:
            return Evaluation(checks=(*told, *_unanswered(error, len(sample), context)))
        seconds = time.monotonic() - started
        return Evaluation(checks=(*_run(student, sample, reference, context, seed=seed, usual_seconds=seconds), *told))


def _seed(seed: int, secret: str) -> int:
    if not secret:
        return seed
    return int.from_bytes(hashlib.sha256(f"integrity {seed} {secret}".encode()).digest()[:4])


def _run(
    student: Student,
    sample: Sample,
    reference: Reference,
    context: Context[IntegrityOptions],
    *,
    seed: int,
    usual_seconds: float,
) -> Iterable[Check]:
    options = context.options
    changed, same = options.changed, options.same_logits
    fresh = cache(lambda: second_process(student, sample, seed))
    many = _many(context, seed)
    images, before = (sample, reference.predictions) if many is None else many
    probes: Mapping[str, Callable[[], Check]] = {
        "integrity_scrub": lambda: scrub_check(student, sample, reference, seed),
        "integrity_noise": lambda: noise_check(
            student, sample, reference, size=options.weight_noise, tolerated=changed, seed=seed
        ),
        _IMAGE_NOISE: lambda: image_noise_check(student, images, before, tolerated=changed, seed=seed),
        "integrity_weights_used": lambda: weights_used_check(student, sample, reference),
        # Last of those that run it, so that what the network remembers of the other probes shows.
        "integrity_batch": lambda: batch_check(student, sample, reference, fresh(), tolerance=same),
        "integrity_sample": lambda: sample_check(
            sample,
            reference,
            fresh(),
            measured=context.measured.get("accuracy"),
            graded=context.predictions,
            tolerance=same,
        ),
    }
    usual = f"the network answers {len(sample)} images in {usual_seconds:.1f} s"
    for name, probe in probes.items():
        started = time.monotonic()
        try:
            found, failed = probe(), None
        except SubmissionError as error:
            found, failed = None, error.reason
        seconds = time.monotonic() - started
        times = len(images) / len(sample) if name == _IMAGE_NOISE else 1
        if seconds > max(_SLOW_SECONDS, _SLOW_FACTOR * times * usual_seconds):
            yield _slow(name, usual, failed or f"it took {seconds:.1f} s when it was probed")
        elif found is None:
            yield from _unchecked([name], failed or "")
        else:
            yield found


def _many(context: Context[IntegrityOptions], seed: int) -> tuple[Sample, Tensor] | None:
    """More images than the sample has, and the classes that were graded for them; None where none were."""
    import torch

    if context.predictions is None:
        return None
    many = take_sample(context.examples, _MANY * context.options.images, seed + 1)
    return many, torch.tensor(context.predictions)[many.rows]


def _of_verified(student: Student, context: Context[IntegrityOptions]) -> Iterable[Check]:
    """Whether it looks images up: a graph may do that as well as code, with few numbers."""
    seed = _seed(context.options.seed, context.secret)
    many = _many(context, seed)
    if many is None or len(many[0]) < _FEWEST_IMAGES:
        return
    try:
        yield image_noise_check(student, *many, tolerated=context.options.changed, seed=seed)
    except SubmissionError as error:
        yield from _unchecked([_IMAGE_NOISE], error.reason)


def _unanswered(error: SubmissionError, images: int, context: Context[IntegrityOptions]) -> Iterable[Check]:
    """A network that answered all images and does not answer some of them again does not go by the image alone."""
    every, name = f"all {len(context.examples.labels):,} images were answered", "integrity_sample"
    again = f"{images} of them, asked for again: {error.reason}"
    if "accuracy" not in context.measured or error.status not in {"timed_out", "crashed", "rejected"}:
        yield from _unchecked(_RUNNING, error.reason)
        return
    if error.status == "timed_out":
        yield _slow(name, f"{every} in time", again)
    else:
        yield Check.failed(
            name,
            f"While {every}, it failed at {again}. It keeps something from one pass to the next, or behaves otherwise "
            "when it is looked at closely; a mistake in what it keeps looks the same.",
            "read what the code keeps between passes",
        )
    yield from _unchecked([each for each in _RUNNING if each != name], error.reason)


def _slow(name: str, usual: str, then: str) -> Check:
    return Check.failed(
        name,
        f"Probes take as long as ordinary images, but while {usual}, {then}. It does not say what the code waits for; "
        "a machine that was busy just then looks the same.",
        "grade it again; if it is slow again, read what the code does with its input",
    )


def _unchecked(names: Iterable[str], reason: str) -> Iterable[Check]:
    return [Check.could_not_check(name, f"the probe could not be run: {reason}") for name in names]


@hookimpl
def harness_evaluators() -> Iterable[Evaluator[IntegrityOptions]]:
    return [Integrity()]
