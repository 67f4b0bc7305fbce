"""Measure the size of what was handed in, in bytes: as the file it is, and as the least its weights need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from harness.api import (
    Check,
    CheckSpec,
    Context,
    Evaluation,
    Evaluator,
    MetricSpec,
    Options,
    PositiveInt,
    Reads,
    Requirements,
    Student,
    hookimpl,
)
from harness_sizes.canonical import canonical, handed_in, micronet_parameters, zstd_size
from harness_sizes.elsewhere import Elsewhere, elsewhere

Measure = Literal["stored", "canonical", "zstd"]

SIZES: Mapping[Measure, MetricSpec] = {
    "stored": MetricSpec("stored_bytes", unit="bytes", higher_is_better=False, about="weights", on_board="always"),
    "canonical": MetricSpec("canonical_bytes", unit="bytes", higher_is_better=False, about="weights", on_board="wide"),
    "zstd": MetricSpec("zstd_bytes", unit="bytes", higher_is_better=False, about="weights", title="compressed bytes"),
}
MICRONET = MetricSpec(
    "micronet_storage", unit="", higher_is_better=False, about="weights", title="MicroNet score, storage"
)
_LEAST_OF_ZSTD = 0.5
"""A file that is smaller than this share of a lossless coding of its own tensors, and of what the network computes with
beside them, does not hold them."""
LIMIT = CheckSpec("weights_size", about="weights")
_HOLDS = "hand in a file that holds all weights itself: torch.save(model.state_dict(), …)"


class SizeOptions(Options):
    """`[evaluators.model_size]`."""

    limit_bytes: PositiveInt | None = None
    """Largest allowed size in bytes; absent: size is measured but not limited."""
    measure: Measure = "stored"
    """The size that `limit_bytes` limits: the weights file, or one of the two that do not depend on its format."""
    micronet_reference: PositiveInt | None = None
    """Parameters of the network that `micronet_storage` is a share of, such as 36_500_000, the WideResNet-28-10 of the
    MicroNet challenge's CIFAR-100 track; absent: it is not measured."""


class ModelSize:
    """Measures the size in bytes of what was handed in, and holds it against a limit, if there is one.

    The check `weights_size` goes by one of three sizes. `stored_bytes` is the weights file as handed in, byte for byte.
    `canonical_bytes` is what its tensors need: each value in the width it had in the file, or a mask of one bit per
    value and the values that are not zero, where that is smaller. `zstd_bytes` is the same, compressed.
    `micronet_storage`, on request, is the storage half of MicroNet's score. docs/curves.md defines them. Where the
    network may have learned numbers that the file does not hold, and they make the difference, a person decides.
    """

    name = "model_size"
    Options = SizeOptions
    metrics = (*SIZES.values(), MICRONET)
    checks = (LIMIT,)
    reads: frozenset[Reads] = frozenset({"network", "hand_in"})
    judged_by = frozenset({"limit_bytes", "measure"})

    def limits(self, options: SizeOptions) -> Mapping[str, float]:
        return {} if options.limit_bytes is None else {SIZES[options.measure].name: options.limit_bytes}

    def evaluate(self, student: Student, context: Context[SizeOptions]) -> Evaluation:
        options = context.options
        content = canonical(student)
        sizes: dict[Measure, int] = {
            "stored": student.weights_bytes,
            "canonical": len(content),
            "zstd": zstd_size(content),
        }
        metrics = {SIZES[name].name: SIZES[name].of(size) for name, size in sizes.items()}
        beside = elsewhere(student)
        if sizes["stored"] < _LEAST_OF_ZSTD * (sizes["zstd"] + beside.size_bytes):
            del metrics[SIZES["stored"].name]
        if options.micronet_reference is not None:
            share = micronet_parameters(student) / options.micronet_reference
            metrics[MICRONET.name] = MICRONET.of(share)
        elements = sum(each.numel() for each in handed_in(student).values())
        return Evaluation(
            metrics=metrics,
            evidence={"elements": elements, "stored": sizes["stored"], "elsewhere": beside.model_dump()},
        )

    def judge(self, found: Evaluation, required: Requirements[SizeOptions]) -> tuple[Check, ...]:
        options = required.options
        elements, stored = found.evidence["elements"], found.evidence["stored"]
        assert isinstance(elements, int)
        assert isinstance(stored, int)
        beside = Elsewhere.model_validate(found.evidence["elsewhere"])
        size = found.metrics.get(SIZES[options.measure].name)
        if size is None:
            return (_undecidable(stored, int(found.metrics[SIZES["zstd"].name].value), beside),)
        if options.limit_bytes is None:
            return ()
        return (_check(int(size.value), options.limit_bytes, options, elements, beside),)


def _undecidable(stored: int, compressed: int, beside: Elsewhere) -> Check:
    needs = f"what it holds needs {compressed:,} even when it is compressed without loss"
    if beside.size_bytes:
        reason = f"{needs}, and {beside}"
    else:
        reason = f"{needs}: the numbers come from somewhere else, or the file has a very good code of its own"
    return Check.could_not_check(LIMIT.name, f"the weights file has {stored:,} bytes, but {reason}", _HOLDS)


def _check(size: int, limit: int, options: SizeOptions, elements: int, beside: Elsewhere) -> Check:
    measured = "" if options.measure == "stored" else f" ({SIZES[options.measure].name})"
    if size <= limit < size + beside.size_bytes:
        return Check.could_not_check(LIMIT.name, f"{size:,} of at most {limit:,} bytes{measured}, but {beside}", _HOLDS)
    if size <= limit:
        return Check.passed(LIMIT.name, f"{size:,} of at most {limit:,} bytes{measured}")
    bits = next((bits for bits in (16, 8) if elements * bits / 8 < limit), None)
    if bits is None:
        hint = f"{elements:,} numbers do not fit even at 8 bits each: the network must become smaller"
    else:
        hint = f"{elements:,} numbers at {bits} bits each would be about {elements * bits // 8:,} bytes"
    return Check.failed(LIMIT.name, f"{size:,} bytes are over the limit of {limit:,}{measured}", hint)


@hookimpl
def harness_evaluators() -> Iterable[Evaluator[SizeOptions]]:
    return [ModelSize()]
