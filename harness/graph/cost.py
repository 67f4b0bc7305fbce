"""Count what one image costs: multiply-accumulates, activation bytes, and which layer takes how much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.graph.program import references
from harness.graph.shapes import Measured, Pass, measure
from harness.values.graph import Graph, Stored


@dataclass(frozen=True, slots=True)
class Layer:
    """What the nodes of one module do together.

    Args:
        path: of the module, such as `cnn.0.0`; empty for what the network does in its own `forward`.
        operators: the operators it runs, each once, in order.
        shape: of its last result, N for the batch left out.
        macs: multiply-accumulates for one image.
        parameters: elements of the parameters it is the first to use, each storage once.
    """

    path: str
    operators: tuple[str, ...]
    shape: tuple[int, ...]
    macs: int
    parameters: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What one image costs.

    Args:
        macs: multiply-accumulates; additions of biases, activations, normalisation and pooling count nothing.
        activation_bytes: results of all operators.
        live_bytes: the most that is alive at one time.
        layers: in the order in which they are first used.
    """

    macs: int
    activation_bytes: int
    live_bytes: int
    layers: tuple[Layer, ...]


def cost(graph: Graph, one: Pass | None = None) -> Cost:
    """The cost of one image: its share where a graph has a fixed batch.

    Args:
        one: a pass of one image, if there has been one.

    Raises:
        GraphRefused: the graph was never accepted, and does not run.
    """
    done = one or measure(graph, 1)
    images = done.batch
    return Cost(done.macs // images, done.written_bytes // images, done.live_bytes // images, layers(graph, done))


def batch_size(graph: Graph, memory_bytes: int, most: int = 64, passes: Sequence[Pass] = ()) -> int:
    """How many images at a time keep the results that are alive at once within `memory_bytes`; at least 1.

    Args:
        passes: of one image and of two, if there have been such.
    """
    if graph.input.batch is not None:
        return graph.input.batch
    one, two = (each.live_bytes for each in passes or (measure(graph, 1), measure(graph, 2)))
    each = max(1, two - one)  # what does not depend on the batch is alive anyway
    return max(1, min(most, (memory_bytes - one + each) // each))


def layers(graph: Graph, done: Pass) -> tuple[Layer, ...]:
    """The layer table of one pass."""
    used: set[str] = set()
    rows: dict[str, list[Measured]] = {}
    counts: dict[str, int] = {}
    for step in done.steps:
        path = step.node.module
        rows.setdefault(path, []).append(step)
        counts[path] = counts.get(path, 0) + _newly_used(graph, step, used)
    return tuple(_layer(path, steps, counts[path], done.batch) for path, steps in rows.items())


def _newly_used(graph: Graph, step: Measured, used: set[str]) -> int:
    count = 0
    for each in references(step.node):
        if isinstance(each, Stored) and graph.tensors[each.tensor].kind == "parameter":
            storage = graph.tensors[each.tensor].storage
            if storage not in used:
                used.add(storage)
                count += math.prod(graph.tensors[storage].shape)
    return count


def _layer(path: str, steps: list[Measured], parameters: int, images: int) -> Layer:
    names = tuple(dict.fromkeys(each.node.operator for each in steps))
    shape = steps[-1].shape[1:]
    return Layer(path, names, shape, sum(each.macs for each in steps) // images, parameters)
