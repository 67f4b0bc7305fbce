"""Find the tensors that a graph's logits depend on, and which of them are one and the same numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import permutations

import torch
from torch import Tensor

from harness.graph.program import references
from harness.values.graph import Graph, Stored


def reaching(graph: Graph) -> frozenset[str]:
    """The tensors from which a path leads to the output."""
    needed, found = {graph.output.node}, set()
    for node in reversed(graph.nodes):
        if node.name in needed:
            for each in references(node):
                if isinstance(each, Stored):
                    found.add(each.tensor)
                else:
                    needed.add(each.node)
    return frozenset(found)


def originals(graph: Graph, tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """For every tensor the one that holds its numbers: another one's name where it is a view of that one, else its own.

    That two tensors share memory is only a claim of the process that wrote the graph. It is believed where the values
    agree: one is the other, its elements in the same order or with dimensions exchanged (tied and transposed weights).

    Args:
        tensors: of the graph, by name; what is not among them shares nothing.
    """
    found = {}
    for name, tensor in tensors.items():
        other = graph.tensors[name].storage
        found[name] = other if other in tensors and _is_view(tensor, tensors[other]) else name
    return found


def elements(graph: Graph, tensors: Mapping[str, Tensor], names: Iterable[str]) -> int:
    """How many numbers the named tensors hold together, each one once."""
    original = originals(graph, tensors)
    return sum(math.prod(graph.tensors[name].shape) for name in {original[name] for name in names})


def _is_view(tensor: Tensor, other: Tensor) -> bool:
    if tensor.numel() != other.numel() or tensor.dtype != other.dtype:
        return False
    # Bytes, not numbers: zeros of either sign are equal, and would be a free bit each.
    flat = raw_bytes(tensor)
    orders = permutations(range(other.dim())) if other.dim() <= 4 else [tuple(range(other.dim()))]
    return any(torch.equal(flat, raw_bytes(other.permute(order))) for order in orders)


def raw_bytes(tensor: Tensor) -> Tensor:
    """The bytes of a tensor's elements in their order, uint8 [numel · itemsize]."""
    return tensor.reshape(-1).contiguous().view(torch.uint8)
