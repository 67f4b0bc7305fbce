"""Does the network survive float16? One metric, and one check where a limit is set."""

from __future__ import annotations

from collections.abc import Iterable

from harness.api import (
    Check,
    CheckSpec,
    Context,
    Evaluation,
    Evaluator,
    Fraction,
    MetricSpec,
    Options,
    Student,
    hookimpl,
)

# Measured on all images: where some are private, students do not see it; with `about="weights"` they would.
ACCURACY_HALF = MetricSpec("accuracy_half", unit="fraction", higher_is_better=True, on_board="wide")


class HalfOptions(Options):
    """The table `[evaluators.half_precision]`: a key that is not here is an error."""

    largest_drop: Fraction | None = None
    """How much accuracy may be lost; absent: measured but not limited."""


class HalfPrecision:
    """Accuracy after all weights were rounded to float16 (`accuracy_half`), against a limit on the loss."""

    name = "half_precision"
    Options = HalfOptions
    metrics = (ACCURACY_HALF,)
    checks = (CheckSpec("half_precision"),)

    def evaluate(self, student: Student, context: Context[HalfOptions]) -> Evaluation:
        rounded = {
            name: tensor.half().to(tensor.dtype) if tensor.is_floating_point() else tensor
            for name, tensor in student.weights.items()
        }
        # The network runs in the sandbox with the weights sent here; labels stay on this side.
        logits = student.logits(context.examples.images, weights=rounded)
        half = float((logits.argmax(dim=1).numpy() == context.examples.labels).mean())
        metrics = {ACCURACY_HALF.name: ACCURACY_HALF.of(half)}
        limit, full = context.options.largest_drop, context.measured.get("accuracy")
        if limit is None:
            return Evaluation(metrics=metrics)
        if full is None:
            check = Check.could_not_check(self.name, "accuracy was not measured: list its evaluator first")
        elif full.value - half <= limit:
            check = Check.passed(self.name, f"{full.value:.4f} becomes {half:.4f} in float16")
        else:
            check = Check.failed(self.name, f"{full.value:.4f} falls to {half:.4f} in float16", "train a little longer")
        return Evaluation(metrics=metrics, checks=(check,))


@hookimpl
def harness_evaluators() -> Iterable[Evaluator[HalfOptions]]:
    return [HalfPrecision()]
