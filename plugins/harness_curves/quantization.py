"""Measure accuracy against size when weights are rounded to fewer bits, without retraining.

Min-max quantisation as HW7 of NTU's Machine Learning 2020 has it, and fp16. The student's code only runs forward; the
grader rounds the weights it sends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal

from harness_sizes.canonical import canonical, handed_in, own_bits, stored_bits, tensor_bytes
from pydantic import Field, field_validator

from harness.api import (
    Check,
    CheckSpec,
    Context,
    Curve,
    Evaluation,
    Evaluator,
    Options,
    PositiveInt,
    Reads,
    Series,
    Student,
    SubmissionError,
    hookimpl,
)
from harness_curves.points import Point, Ruler, series

if TYPE_CHECKING:
    from torch import Tensor

Scheme = Literal["per_tensor", "per_channel"]
Bits = Annotated[int, Field(ge=1, le=16)]

_NAME = "quantization_curve"
_LABELS: Mapping[Scheme, str] = {"per_tensor": "min-max per tensor", "per_channel": "min-max per channel"}
_FLOAT_BITS = 32


class QuantizationOptions(Options):
    """`[evaluators.quantization_curve]`."""

    schemes: Annotated[tuple[Scheme, ...], Field(min_length=1)] = ("per_tensor", "per_channel")
    """One series each: one range of values per tensor, as in HW7, or one per output channel."""
    bits: Annotated[tuple[Bits, ...], Field(min_length=1)] = (8, 6, 5, 4, 3)
    """Bits per weight, descending. The network as handed in is always the first point of a series."""
    fp16: bool = True
    """Whether the weights are rounded to float16 as well: the second point of each series."""
    images: PositiveInt | None = None
    """Measure on this many of the graded images, evenly spaced, to save time; absent: on all."""

    @field_validator("schemes")
    @classmethod
    def _each_once(cls, schemes: tuple[Scheme, ...]) -> tuple[Scheme, ...]:
        if len(set(schemes)) < len(schemes):
            raise ValueError("something is named twice")
        return schemes

    @field_validator("bits")
    @classmethod
    def _descending(cls, bits: tuple[int, ...]) -> tuple[int, ...]:
        if any(one <= other for one, other in pairwise(bits)):
            raise ValueError("must be descending, each once")
        return bits


class QuantizationCurve:
    """Measures accuracy against bytes with the weights rounded to fewer and fewer bits.

    Every floating-point tensor with at least one dimension is rounded, BatchNorm's statistics included, as HW7 did. x
    is the canonical size of the result, the ranges of the quantiser included. See docs/curves.md for the definitions.
    """

    name = _NAME
    Options = QuantizationOptions
    metrics = ()
    checks = (CheckSpec(_NAME),)
    reads: frozenset[Reads] = frozenset({"network", "images"})

    def evaluate(self, student: Student, context: Context[QuantizationOptions]) -> Evaluation:
        options = context.options
        ruler = Ruler.of(student, context, options.images)
        dense = Point(len(canonical(student)), ruler.accuracy(), {"bits": _dense_bits(student)})
        start, problems = [dense], list[str]()
        if options.fp16:
            try:
                start.append(_half_point(ruler))
            except SubmissionError as error:
                problems.append(f"fp16: {error}")
        lines: list[Series] = []
        for scheme in options.schemes:
            points, problem = _line(ruler, scheme, options.bits)
            lines.append(series(_LABELS[scheme], [*start, *points]))
            problems += [f"{_LABELS[scheme]}: {problem}"] if problem else []
        return Evaluation(
            checks=(Check.could_not_check(_NAME, "; ".join(problems)),) if problems else (),
            curves=(Curve(name="quantization", x="canonical_bytes", y="accuracy", series=tuple(lines)),),
        )


def min_max(tensor: Tensor, bits: int, scheme: Scheme) -> Tensor:
    """The values that are left of a tensor when it is stored as whole numbers of `bits` bits and a range.

    q = round((w - min) / (max - min) · (2^bits - 1)), read back as q / (2^bits - 1) · (max - min) + min, in float64,
    rounding half to even. The range is the tensor's, or that of each slice along its first dimension if it has two
    dimensions or more. Where max = min, all values are that one.

    Args:
        tensor: floating point, at least one dimension and one element.

    Returns:
        The same shape and dtype.
    """
    import torch

    values = tensor.double()
    within = tuple(range(1 if scheme == "per_channel" and tensor.dim() > 1 else 0, tensor.dim()))
    low, high = values.amin(within, keepdim=True), values.amax(within, keepdim=True)
    span, top = high - low, 2**bits - 1
    levels = ((values - low) / torch.where(span == 0, 1.0, span) * top).round()
    read_back: Tensor = levels / top * span + low
    return read_back.to(tensor.dtype)


def min_max_bytes(tensor: Tensor, bits: int, scheme: Scheme) -> int:
    """Whole numbers without gaps, padded to bytes, and two float32 bounds per range."""
    ranges = len(tensor) if scheme == "per_channel" and tensor.dim() > 1 else 1
    return (tensor.numel() * bits + 7) // 8 + ranges * 2 * _FLOAT_BITS // 8


def _quantized(tensors: Mapping[str, Tensor], change: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """All tensors, those that can be quantised changed."""
    return {name: change(each) if _quantizable(each) else each for name, each in tensors.items()}


def _quantizable(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.dim() > 0 and tensor.numel() > 0


def _half(tensor: Tensor) -> Tensor:
    import torch

    return tensor.to(torch.float16).to(tensor.dtype)


def _half_point(ruler: Ruler) -> Point:
    widths = _widths(ruler.student)
    size = sum(
        _size(_half(each), min(16, widths[name])) if _quantizable(each) else _size(each, widths[name])
        for name, each in handed_in(ruler.student).items()
    )
    return Point(size, ruler.accuracy(_quantized(ruler.student.weights, _half)), {"bits": 16})


def _line(ruler: Ruler, scheme: Scheme, widths: Sequence[int]) -> tuple[list[Point], str | None]:
    """The points up to the first that cannot be measured, and why it could not."""
    points: list[Point] = []
    for bits in widths:
        try:
            points.append(_point(ruler, scheme, bits))
        except SubmissionError as error:
            return points, f"at {bits} bits, {error}"
    return points, None


def _point(ruler: Ruler, scheme: Scheme, bits: int) -> Point:
    widths = _widths(ruler.student)
    size = sum(
        min_max_bytes(each, bits, scheme) if _quantizable(each) else _size(each, widths[name])
        for name, each in handed_in(ruler.student).items()
    )
    weights = _quantized(ruler.student.weights, lambda each: min_max(each, bits, scheme))
    return Point(size, ruler.accuracy(weights), {"bits": bits})


def _size(tensor: Tensor, bits: int) -> int:
    return len(tensor_bytes(tensor, bits))


def _widths(student: Student) -> dict[str, int]:
    """Bits per value as handed in."""
    said = stored_bits(student)
    return {name: said.get(name, own_bits(each)) for name, each in handed_in(student).items()}


def _dense_bits(student: Student) -> int:
    """The widest of what can be quantised, as handed in."""
    widths = _widths(student)
    return max((widths[name] for name, each in handed_in(student).items() if _quantizable(each)), default=_FLOAT_BITS)


@hookimpl
def harness_evaluators() -> Iterable[Evaluator[QuantizationOptions]]:
    return [QuantizationCurve()]
