"""Restrict an operator's arguments beyond what its schema and its own shape checks say.

A rule gets the positional arguments, tensors among them as meta tensors, and returns what is wrong, or None.
It runs before the operator does, so it also keeps away what would hang while shapes are still being worked out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Rule = Callable[[Sequence[Any]], str | None]

MOST_PARTS = 1024
MOST_STEPS = 8192  # on meta tensors torch runs them one by one


def not_training(position: int) -> Rule:
    """The flag at `position` is off: no dropout, no batch statistics."""

    def rule(arguments: Sequence[Any]) -> str | None:
        return "runs in training mode" if _given(arguments, position, absent=False) else None

    return rule


def no_dropout(position: int) -> Rule:
    """The probability at `position` is 0."""

    def rule(arguments: Sequence[Any]) -> str | None:
        return "drops values at random" if _given(arguments, position, absent=0) else None

    return rule


def running_or_own(arguments: Sequence[Any]) -> str | None:
    """`instance_norm(x, weight, bias, mean, variance, own, …)`: running statistics or those of the image, not both."""
    changes = arguments[5] and any(each is not None for each in arguments[3:5])
    return "changes its running statistics" if changes else None


def few_parts(arguments: Sequence[Any]) -> str | None:
    """`split(x, size, dim)`: not so many parts that making them takes long."""
    size, dim = _given(arguments, 1, absent=1), _given(arguments, 2, absent=0)
    length = arguments[0].shape[dim]
    return _too_many(-(-length // max(1, size)))


def few_chunks(arguments: Sequence[Any]) -> str | None:
    """`chunk(x, chunks)`, `tensor_split(x, sections)`."""
    return _too_many(_given(arguments, 1, absent=1))


def few_slices(arguments: Sequence[Any]) -> str | None:
    """`unbind(x, dim)`."""
    return _too_many(arguments[0].shape[_given(arguments, 1, absent=0)])


def few_layers(arguments: Sequence[Any]) -> str | None:
    """`lstm(input, states, weights, biases, layers, dropout, train, bidirectional, batch_first)`: evaluating, not too
    many steps.
    """
    batch_first = _given(arguments, 8, absent=False)
    steps = arguments[0].shape[1 if batch_first and arguments[0].dim() == 3 else 0]
    layers = _given(arguments, 4, absent=1)
    return not_training(6)(arguments) or _too_many(steps * layers, MOST_STEPS)


def no_mask(arguments: Sequence[Any]) -> str | None:
    """`index(x, indices)`: numbers, since how many a mask chooses depends on its values."""
    masks = [each for each in arguments[1] if isinstance(each, Tensor) and each.dtype in (torch.bool, torch.uint8)]
    return "chooses by a mask: the size of its result depends on values" if masks else None


def known_classes(arguments: Sequence[Any]) -> str | None:
    """`one_hot(x, classes)`: told how many, instead of looking for the largest."""
    told = _given(arguments, 1, absent=-1)
    return "the size of its result depends on values" if told <= 0 else None


def known_modes(arguments: Sequence[Any]) -> str | None:
    """`grid_sampler(x, grid, interpolation, padding, …)`: with other numbers the result is never written."""
    return "has an unknown mode" if not set(arguments[2:4]) <= {0, 1, 2} else None


def integer_shift(arguments: Sequence[Any]) -> str | None:
    """`x >> n`: within the width of the widest integer; the rest is undefined."""
    amount = arguments[1]
    return "shifts by no possible number of bits" if isinstance(amount, int) and not 0 <= amount < 64 else None


def nonzero_scalar(arguments: Sequence[Any]) -> str | None:
    """`x // n`, `x % n`: with integers, 0 has no result and can end the process."""
    by = arguments[1]
    return "divides by zero" if isinstance(by, int | float) and by == 0 else None


def _too_many(parts: int, most: int = MOST_PARTS) -> str | None:
    return f"makes {parts:,} parts, more than {most:,}" if parts > most else None


def _given(arguments: Sequence[Any], position: int, *, absent: Any) -> Any:
    return arguments[position] if len(arguments) > position else absent
