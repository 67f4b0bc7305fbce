"""The size of what was handed in, in bytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from harness.api import (
    Check,
    Context,
    Evaluation,
    Evaluator,
    Metric,
    Options,
    PositiveInt,
    Student,
    hookimpl,
)


class SizeOptions(Options):
    """`[evaluators.model_size]`."""

    limit_bytes: PositiveInt | None = None
    """Largest allowed weights file, byte for byte; absent: size is measured but not limited."""


class ModelSize:
    """The weights file as handed in (`stored_bytes`), against a limit if there is one (`weights_size`)."""

    name = "model_size"
    Options: ClassVar[type[Options]] = SizeOptions
    provides = frozenset({"stored_bytes", "weights_size"})

    def evaluate(self, student: Student, context: Context) -> Evaluation:
        size = student.weights_bytes
        metrics = {"stored_bytes": Metric(value=size, unit="bytes", higher_is_better=False)}
        limit = context.options.limit_bytes
        checks = () if limit is None else (_check(size, limit, student),)
        return Evaluation(metrics=metrics, checks=checks)


def _check(size: int, limit: int, student: Student) -> Check:
    if size <= limit:
        return Check.passed("weights_size", f"{size:,} of at most {limit:,} bytes")
    elements = sum(each.numel() for each in student.decoded.values())
    bits = next((bits for bits in (16, 8) if elements * bits / 8 < limit), None)
    if bits is None:
        hint = f"{elements:,} numbers do not fit even at 8 bits each: the network must become smaller"
    else:
        hint = f"{elements:,} numbers at {bits} bits each would be about {elements * bits // 8:,} bytes"
    return Check.failed("weights_size", f"{size:,} bytes are over the limit of {limit:,}", hint)


@hookimpl
def harness_evaluators() -> Iterable[Evaluator]:
    return [ModelSize()]
