"""Measure top-1 accuracy, with its Wilson interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.api import (
    Check,
    CheckSpec,
    Context,
    Correct,
    Evaluation,
    Evaluator,
    Metric,
    MetricSpec,
    Options,
    Predictions,
    Reads,
    Requirements,
    Student,
    hookimpl,
)
from harness.api.logits import predicted_classes
from harness.api.text import told_apart

if TYPE_CHECKING:
    Bits = NDArray[np.bool_]
    Classes = NDArray[np.int64]


ACCURACY = MetricSpec("accuracy", unit="fraction", higher_is_better=True, split=True, on_board="wide")
# Where data is split, it goes by the public part.
BASELINE = CheckSpec("accuracy_baseline", about="public_images")
_MAX_CLASSES = 100
_ON_STAND_IN = "these images only stand in for the real ones: measured on them an accuracy says nothing"


class AccuracyOptions(Options):
    """`[evaluators.accuracy]`: nothing to choose."""


class Accuracy:
    """Measures top-1 accuracy: the share of graded images whose largest logit is that of their class.

    Exact ties between logits go to the lowest class, as `argmax` defines it. An image with a NaN among its logits gets
    no class and is wrong; a note says how many there are. Where the assignment splits its data, `accuracy_public` and
    `accuracy_private` stand beside the overall figure; a student sees the public one only, and the check
    `accuracy_baseline` goes by it.
    """

    name = "accuracy"
    Options = AccuracyOptions
    metrics = (ACCURACY,)
    checks = (BASELINE,)
    reads: frozenset[Reads] = frozenset({"network", "images"})
    judged_by: frozenset[str] = frozenset()

    def evaluate(self, student: Student, context: Context[AccuracyOptions]) -> Evaluation:
        return _evaluation(predicted_classes(student.logits(context.examples.images)).numpy(), context)

    def evaluate_predictions(self, predictions: Predictions, context: Context[AccuracyOptions]) -> Evaluation:
        return _evaluation(predictions.classes, context)

    def judge(self, found: Evaluation, required: Requirements[AccuracyOptions]) -> tuple[Check, ...]:
        # Students read the check's reason: where data is split, it must not tell them of the private images.
        judged = found.metrics["accuracy_public" if required.split else "accuracy"]
        return (_baseline_check(judged, required.baselines, stand_in=required.stand_in),) if required.baselines else ()


def _evaluation(predictions: Classes, context: Context[AccuracyOptions]) -> Evaluation:
    correct = predictions == context.examples.labels
    metrics = {"accuracy": accuracy(correct)}
    if context.split:
        metrics["accuracy_public"] = accuracy(correct[context.public])
        if context.audience == "instructor" and not context.public.all():
            metrics["accuracy_private"] = accuracy(correct[~context.public])
    return Evaluation(
        metrics=metrics,
        notes=_without_class(predictions[context.public], context.examples.classes),
        predictions=tuple(predictions.tolist()),
        correct=_packed(correct, context.public) if context.audience == "instructor" else None,
        confusion=confusion(
            context.examples.labels[context.public], predictions[context.public], context.examples.classes
        ),
    )


def _without_class(predictions: Classes, classes: int) -> tuple[str, ...]:
    """What is said of images that get no class, of the public ones only: students read it."""
    count = int((predictions == classes).sum())
    if not count:
        return ()
    found = f"forward returned NaN for {count:,} of {len(predictions):,} images, which count as wrong"
    return (f"{found}: look for a division by zero, log(0) or an overflow in forward",)


def _packed(correct: Bits, public: Bits) -> Correct:
    return Correct(
        public=np.packbits(correct[public]).tobytes(),
        private=np.packbits(correct[~public]).tobytes(),
    )


def confusion(labels: Classes, predictions: Classes, classes: int) -> tuple[tuple[int, ...], ...] | None:
    """Images by true class (row) and predicted class (column), less those that get none.

    None where the table would be too large to read.
    """
    if classes > _MAX_CLASSES:
        return None
    named = predictions < classes
    cells = np.bincount(labels[named] * classes + predictions[named], minlength=classes * classes)
    return tuple(map(tuple, cells.reshape(classes, classes).tolist()))


def accuracy(correct: Bits) -> Metric:
    """Share of true bits with its 95 % Wilson score interval (Wilson 1927, doi:10.1080/01621459.1927.10502953).

    Args:
        correct: bool [N], N ≥ 1.
    """
    count = len(correct)
    share = int(correct.sum()) / count
    # Written out: importing scipy.stats takes as long as half of torch.
    z = NormalDist().inv_cdf(0.975)
    middle, wide = share + z * z / (2 * count), z * sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    low, high = (min(1.0, max(0.0, (middle + side) / (1 + z * z / count))) for side in (-wide, wide))
    return ACCURACY.of(share, low, high)


def _baseline_check(measured: Metric, baselines: Mapping[str, float], *, stand_in: bool) -> Check:
    """Passed when the lowest baseline is reached; the reason names the next one."""
    tiers = sorted(baselines.items(), key=lambda tier: tier[1])
    nearest = min(baselines.values(), key=lambda value: (value == measured.value, abs(value - measured.value)))
    found = f"accuracy {told_apart(measured.value, nearest, measured.unit)[0]}"
    said = {name: f"{name} ({told_apart(value, measured.value, measured.unit)[0]})" for name, value in tiers}
    reached = [said[name] for name, value in tiers if measured.value >= value]
    missed = [said[name] for name, value in tiers if measured.value < value]
    if not reached:
        hint = _ON_STAND_IN if stand_in else _doubt(measured, tiers[0][1])
        return Check.failed(BASELINE.name, f"{found} is below {missed[0]}", hint)
    ahead = f"; next is {missed[0]}" if missed else ""
    return Check.passed(BASELINE.name, f"{found} reaches {', '.join(reached)}{ahead}")


def _doubt(measured: Metric, baseline: float) -> str:
    if measured.high is not None and measured.high >= baseline:
        high = f"{100 * measured.high:.2f} %"
        return f"within the noise of this many images (95 % interval up to {high}): train a little longer"
    return "does the network at home use the same preprocessing, and were these the weights of the best epoch?"


@hookimpl
def harness_evaluators() -> Iterable[Evaluator[AccuracyOptions]]:
    return [Accuracy()]
