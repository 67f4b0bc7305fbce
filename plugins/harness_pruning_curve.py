"""Accuracy against the parameters that are left when the smallest weights are set to zero.

Unstructured pruning without retraining, as `torch.nn.utils.prune` does it: the masks are the same bit for bit. The
student's code only runs forward; the grader zeroes the weights it sends.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from harness_curve_points import Point, Ruler, series
from pydantic import Field, field_validator

from harness.api import (
    Check,
    Context,
    Curve,
    Evaluation,
    Evaluator,
    Metric,
    Options,
    PositiveInt,
    Series,
    Student,
    hookimpl,
)
from harness.errors import SubmissionError
from harness.weights import nonzero_elements, stored_elements, twins

if TYPE_CHECKING:
    from torch import Tensor

Method = Literal["global_l1", "layer_l1", "random"]
Share = Annotated[float, Field(gt=0, lt=1)]
Points = Sequence[tuple[float, float]]

_NAME = "pruning_curve"


class PruningOptions(Options):
    """`[evaluators.pruning_curve]`."""

    methods: Annotated[tuple[Method, ...], Field(min_length=1)] = ("global_l1", "layer_l1", "random")
    """One series each, `random` one per seed; the metrics summarise the first series."""
    fractions: Annotated[tuple[Share, ...], Field(min_length=1)] = (0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
    """Shares of the weights to set to zero, ascending. The network as handed in is always the first point."""
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (0,)
    """For `random`."""
    images: PositiveInt | None = None
    """Measure on this many of the graded images, evenly spaced, to save time; absent: on all."""

    @field_validator("fractions")
    @classmethod
    def _ascending(cls, fractions: tuple[float, ...]) -> tuple[float, ...]:
        if any(one >= other for one, other in pairwise(fractions)):
            raise ValueError("must be ascending, each once")
        return fractions

    @field_validator("methods", "seeds")
    @classmethod
    def _each_once(cls, chosen: tuple[object, ...]) -> tuple[object, ...]:
        if len(set(chosen)) < len(chosen):
            raise ValueError("something is named twice")
        return chosen


@dataclass(frozen=True)
class Order:
    """The elements of a vector in the order in which they are pruned."""

    scores: Tensor
    """float [n], the lowest first."""
    ascending: Tensor
    """int64 [n], one sort for all fractions."""

    @classmethod
    def of(cls, scores: Tensor) -> Order:
        return cls(scores, scores.argsort())

    def keeps(self, fraction: float) -> Tensor:
        """What `torch.nn.utils.prune.L1Unstructured(fraction)` keeps of weights with these scores: bool [n]."""
        import torch

        # Python's round, half to even, as torch.nn.utils.prune has it.
        count = round(fraction * len(self.scores))
        kept = torch.ones_like(self.ascending, dtype=torch.bool)
        kept[self.ascending[:count]] = False
        if 0 < count < len(kept) and self.scores[self.ascending[count - 1]] == self.scores[self.ascending[count]]:
            # Equal scores on both sides of the cut: which of them go is up to topk's algorithm, so it is asked.
            kept = torch.ones_like(kept)
            kept[torch.topk(self.scores, count, largest=False).indices] = False
        return kept


class Masks:
    """The masks of one method for any fraction; all of them come from one sort (`layer_l1`: one per tensor).

    Args:
        weights: what is pruned, by name, in the order of the network.
    """

    def __init__(self, weights: Mapping[str, Tensor], method: Method, seed: int = 0) -> None:
        self._shapes = {name: each.shape for name, each in weights.items()}
        flat = {name: each.abs().reshape(-1) for name, each in weights.items()}
        self._orders: dict[tuple[str, ...], Order]
        match method:
            case "layer_l1":
                self._orders = {(name,): Order.of(each) for name, each in flat.items()}
            case "global_l1":
                self._orders = {tuple(flat): Order.of(_joined(flat))}
            case "random":
                self._orders = {tuple(flat): Order.of(_shuffled(sum(map(len, flat.values())), seed))}

    def at(self, fraction: float) -> dict[str, Tensor]:
        """bool, by name: true where a weight is kept."""
        masks = {}
        for names, order in self._orders.items():
            sizes = [math.prod(self._shapes[name]) for name in names]
            for name, part in zip(names, _split(order.keeps(fraction), sizes), strict=True):
                masks[name] = part.reshape(self._shapes[name])
        return masks


def _split(whole: Tensor, sizes: list[int]) -> tuple[Tensor, ...]:
    import torch

    return torch.split_with_sizes(whole, sizes)


def _joined(flat: Mapping[str, Tensor]) -> Tensor:
    import torch

    return torch.cat(list(flat.values()))


def _shuffled(count: int, seed: int) -> Tensor:
    """Distinct scores in an order that depends on the seed alone."""
    import torch

    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


class PruningCurve:
    """Prunes the weights of convolutions and linear layers: parameters with at least two dimensions.

    Biases and BatchNorm are never touched. x counts what is left of all stored parameters, exact zeros not included,
    as `parameters_nonzero` does. A fraction is a share of the weights that can be pruned; zeros that the network
    already has go first. See docs/curves.md for the definitions.
    """

    name = _NAME
    Options: ClassVar[type[Options]] = PruningOptions
    provides = frozenset({_NAME, "pruning_auc", "compression_within_1pp", "compression_within_2pp"})

    def evaluate(self, student: Student, context: Context) -> Evaluation:
        options: PruningOptions = context.options
        weights = prunable(student)
        if not weights:
            reason = "the network has no parameters with two or more dimensions to prune"
            return Evaluation(checks=(Check.could_not_check(_NAME, reason),))
        ruler = Ruler.of(student, context, options.images)
        dense = _point(ruler, student.weights)
        lines: list[Series] = []
        problems: list[str] = []
        for method, seed, label in _runs(options):
            points, problem = _line(ruler, Masks(weights, method, seed), options.fractions)
            lines.append(series(label, [dense, *points]))
            problems += [f"{label}: {problem}"] if problem else []
        complete = len(lines[0].points) == 1 + len(options.fractions)
        return Evaluation(
            metrics=summaries(lines[0].points) if complete else {},
            checks=(Check.could_not_check(_NAME, "; ".join(problems)),) if problems else (),
            curves=(Curve(name="pruning", x="parameters", y="accuracy", series=tuple(lines)),),
        )


def prunable(student: Student) -> dict[str, Tensor]:
    """Floating-point parameters with at least two dimensions, in the network's order; of tied ones the first."""
    parameters, tied = set(student.facts.parameters), twins(student.weights, student.facts.aliases)
    return {
        name: each
        for name, each in student.weights.items()
        if name in parameters and name not in tied and each.dim() > 1 and each.is_floating_point()
    }


def pruned(student: Student, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The student's weights, zero where a mask is false; tied ones stay equal."""
    changed = dict(student.weights)
    changed |= {name: changed[name].masked_fill(~mask, 0) for name, mask in masks.items()}
    tied = twins(student.weights, student.facts.aliases)
    return changed | {name: changed[first].reshape(changed[name].shape) for name, first in tied.items()}


def _runs(options: PruningOptions) -> Iterator[tuple[Method, int, str]]:
    """Method, seed and label of each series."""
    for method in options.methods:
        match method:
            case "global_l1":
                yield method, 0, "global L1"
            case "layer_l1":
                yield method, 0, "layer-wise L1"
            case "random":
                yield from ((method, seed, f"random, seed {seed}") for seed in options.seeds)


def _line(ruler: Ruler, masks: Masks, fractions: Sequence[float]) -> tuple[list[Point], str | None]:
    """The points up to the first that cannot be measured, and why it could not."""
    points: list[Point] = []
    for fraction in fractions:
        try:
            points.append(_point(ruler, pruned(ruler.student, masks.at(fraction))))
        except SubmissionError as error:
            return points, f"at {fraction:g} pruned, {error}"
    return points, None


def _point(ruler: Ruler, weights: Mapping[str, Tensor]) -> Point:
    aliases = ruler.student.facts.aliases
    left, stored = nonzero_elements(weights, aliases), stored_elements(weights, aliases)
    return Point(left, ruler.accuracy(weights), {"sparsity": 1 - left / stored})


def summaries(points: Points) -> dict[str, Metric]:
    """The curve in three numbers; compression is the first point's x over that of another.

    Args:
        points: (parameters, accuracy), the network as handed in first. Points without any parameters are left out.
    """
    dense, reached = points[0]
    curve = sorted((dense / x, y) for x, y in points if x)
    found = {
        f"compression_within_{limit}pp": _metric(
            # In hundredths of a point, so that exactly one point is within one point.
            max(ratio for ratio, y in curve if round((reached - y) * 1e4, 6) <= limit * 100),
            "times",
        )
        for limit in (1, 2)
    }
    range_doublings = math.log2(curve[-1][0] / curve[0][0])
    if range_doublings > 0:
        area = sum((a + b) / 2 * math.log2(right / left) for (left, a), (right, b) in pairwise(curve))
        found["pruning_auc"] = _metric(area / range_doublings, "fraction")
    return found


def _metric(value: float, unit: str) -> Metric:
    return Metric(value=value, unit=unit, higher_is_better=True)


@hookimpl
def harness_evaluators() -> Iterable[Evaluator]:
    return [PruningCurve()]
