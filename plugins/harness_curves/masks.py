"""Mask weights: `torch.nn.utils.prune`'s masks, bit for bit, all of a method from one sort."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.api import Student
from harness.api.weights import twins

if TYPE_CHECKING:
    from torch import Tensor

WeightMethod = Literal["global_l1", "layer_l1", "random"]


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

    def __init__(self, weights: Mapping[str, Tensor], method: WeightMethod, seed: int = 0) -> None:
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
