"""Count an operator's multiply-accumulates from the shapes of what goes in and comes out.

Every formula takes the operator's positional arguments as the schema orders them and its result. A multiplication and
the addition after it count once; biases, activations, normalisation and pooling count nothing, as in the published
figures of torchvision's models (half of what `torch.utils.flop_counter` counts).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

Formula = Callable[[Sequence[Any], Any], int]


def convolution(arguments: Sequence[Any], result: Any) -> int:
    """Each output element sums over a filter: weight [out, in / groups, *kernel]."""
    weight = arguments[1]
    return int(result.numel() * math.prod(weight.shape[1:]))


def transposed_convolution(arguments: Sequence[Any], _: Any) -> int:
    """Each input element is spread over a filter: weight [in, out / groups, *kernel]."""
    images, weight = arguments[:2]
    return int(images.numel() * math.prod(weight.shape[1:]))


def product(arguments: Sequence[Any], result: Any) -> int:
    """Each element of `a @ b` sums over the last dimension of `a`; the same for `linear` and distances."""
    return int(result.numel() * arguments[0].shape[-1])


def added_product(arguments: Sequence[Any], result: Any) -> int:
    """The same for `addmm(c, a, b)` and its like."""
    return product(arguments[1:], result)


def bilinear(arguments: Sequence[Any], result: Any) -> int:
    """Each output element sums over all pairs of inputs: weight [out, in1, in2]."""
    weight = arguments[2]
    return int(result.numel() * math.prod(weight.shape[1:]))


def attention(arguments: Sequence[Any], _: Any) -> int:
    """Query times key, then weights times value: [..., L, E], [..., S, E], [..., S, V]."""
    query, _, value = arguments[:3]
    return int(math.prod(query.shape[:-1]) * value.shape[-2] * (query.shape[-1] + value.shape[-1]))


def recurrent(arguments: Sequence[Any], _: Any) -> int:
    """Every weight matrix meets every step of every sequence once: lstm, gru, rnn (input, state, weights, …)."""
    sequence, _, weights = arguments[:3]
    steps = math.prod(sequence.shape[:-1])
    return int(steps * sum(each.numel() for each in weights if each.dim() == 2))


def recurrent_cell(arguments: Sequence[Any], _: Any) -> int:
    """One step: (input [N, in], state, weight_ih, weight_hh, …)."""
    images, _, *weights = arguments[:4]
    return int(math.prod(images.shape[:-1]) * sum(each.numel() for each in weights))


def householder(arguments: Sequence[Any], _: Any) -> int:
    """Each of the k reflections of [..., m, n] updates the whole matrix: about 2·m·n·k."""
    matrix, scales = arguments[:2]
    return int(2 * matrix.numel() * scales.shape[-1])
