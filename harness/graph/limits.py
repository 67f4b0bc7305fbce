"""Validate a graph: everything is checked before anything is computed.

    size       bytes of the text, numbers of nodes and arguments
    form       the JSON is a `Graph` and nothing else (lengths, magnitudes and nesting are bounded there)
    structure  unique names, known operators, every reference is to something defined before
    shapes     the graph runs on meta tensors within the limits, for one image and for a whole batch
    output     floating logits [N, classes]

Each violation is a `GraphRefused` that names the operator where there is one.
"""

from __future__ import annotations

import math

import torch
from pydantic import ValidationError

from harness.graph.operators import operators, why_not
from harness.graph.program import references
from harness.graph.refusal import GraphRefused
from harness.graph.shapes import Limits, Pass, measure
from harness.graph.signatures import wrong_arguments
from harness.values.graph import INPUT, Graph, Node, Result

_STANDARD = Limits()
SQUEEZED = "squeeze() without a dimension drops that of the batch as well; squeeze(-1) or flatten(1) keeps it"
"""What to say where a batch of one image loses its first dimension."""


def accepted(
    text: bytes, input_shape: tuple[int, ...], classes: int, batch: int = 64, limits: Limits = _STANDARD
) -> Graph:
    """The graph that a worker wrote, once nothing speaks against it.

    Args:
        text: JSON.
        input_shape: [channels, height, width] of the assignment's images.
        classes: of the assignment.
        batch: images that will be fed at a time.

    Raises:
        GraphRefused: something does.
    """
    graph = well_formed(text, input_shape, classes, limits)
    check_shapes(graph, batch, limits)
    return graph


def well_formed(text: bytes, input_shape: tuple[int, ...], classes: int, limits: Limits = _STANDARD) -> Graph:
    """The graph that a worker wrote, as far as can be told without running any operator, on meta tensors neither.

    Raises:
        GraphRefused: something speaks against it.
    """
    graph = read(text, limits)
    if graph.input.shape != input_shape or graph.classes != classes:
        raise GraphRefused(
            f"the graph is for images {list(graph.input.shape)} and {graph.classes} classes, "
            f"not {list(input_shape)} and {classes}"
        )
    check_structure(graph, limits)
    return graph


def read(text: bytes, limits: Limits = _STANDARD) -> Graph:
    """The graph as it is written; its operators and references are not looked at yet.

    Raises:
        GraphRefused: it is too large, or no graph.
    """
    if len(text) > limits.json_bytes:
        raise GraphRefused(f"its description has {len(text):,} bytes, more than {limits.json_bytes:,}")
    # Braces are the cheapest bound on the number of objects that parsing makes.
    if text.count(b"{") > 2 * (limits.values + limits.nodes):
        raise GraphRefused("its description has too many parts")
    try:
        return Graph.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(each) for each in first["loc"][:4])
        raise GraphRefused(f"its description is malformed at {where or 'the start'}: {first['msg']}") from error


def check_structure(graph: Graph, limits: Limits = _STANDARD) -> None:
    """Names, operators and references.

    Raises:
        GraphRefused: at the first mistake.
    """
    if len(graph.nodes) > limits.nodes:
        raise GraphRefused(f"it has {len(graph.nodes):,} nodes, more than {limits.nodes:,}")
    _check_tensors(graph, limits)
    defined: dict[str, bool | None] = {INPUT: False}  # by node: whether it is used as several values, as far as known
    values = 0
    for node in graph.nodes:
        values += sum(
            len(each) if isinstance(each, tuple) else 1 for each in (*node.arguments, *node.keywords.values())
        )
        if values > limits.values:
            raise GraphRefused(f"its nodes have more than {limits.values:,} arguments")
        _check_node(node, defined, graph)
        defined[node.name] = None
    if graph.output.node == INPUT or defined.get(graph.output.node, True) is (graph.output.item is None):
        raise GraphRefused(f"the output {graph.output.node!r} is no node")


def check_shapes(graph: Graph, batch: int, limits: Limits = _STANDARD) -> tuple[Pass, ...]:
    """Run it on meta tensors, for one image and for a batch; once where the graph has a batch of its own.

    Returns:
        What each pass takes.

    Raises:
        GraphRefused: an operator does not fit, a limit is passed, or the output is not [N, classes].
    """
    passes = []
    for images in (1, batch) if graph.input.batch is None else (graph.input.batch,):
        done = measure(graph, images, limits)
        passes.append(done)
        if images == 1 and done.output == (graph.classes,):
            raise GraphRefused(f"a batch of one image gets [{graph.classes}], not [1, {graph.classes}]: {SQUEEZED}")
        if done.output != (images, graph.classes) or not done.output_dtype.is_floating_point:
            raise GraphRefused(
                f"the output for {images} images is {list(done.output)} of {done.output_dtype}, "
                f"not floating logits [{images}, {graph.classes}]"
            )
    return tuple(passes)


def _check_tensors(graph: Graph, limits: Limits) -> None:
    names = [*graph.tensors, *(alias for each in graph.tensors.values() for alias in each.aliases)]
    if len(names) > limits.nodes:
        raise GraphRefused(f"it has {len(names):,} tensors, more than {limits.nodes:,}")
    if len(set(names)) < len(names):
        raise GraphRefused("two tensors have one name")
    for name, each in graph.tensors.items():
        if each.storage not in graph.tensors:
            raise GraphRefused(f"the tensor {name!r} shares the memory of {each.storage!r}, which does not exist")
    sizes = (math.prod(each.shape) * getattr(torch, each.dtype).itemsize for each in graph.tensors.values())
    if (total := sum(sizes)) > limits.tensor_bytes:
        raise GraphRefused(f"its tensors have {total:,} bytes, more than {limits.tensor_bytes:,}")


def _check_node(node: Node, defined: dict[str, bool | None], graph: Graph) -> None:
    if node.name in defined:
        raise _refused(node, f"the name {node.name!r} is used twice")
    if node.operator not in operators():
        raise _refused(node, why_not(node.operator))
    if wrong := wrong_arguments(node):
        raise _refused(node, wrong)
    for each in references(node):
        if isinstance(each, Result):
            if each.node not in defined:
                raise _refused(node, f"it uses {each.node!r}, which is not defined before")
            if defined[each.node] not in (None, each.item is not None):
                raise _refused(node, f"it uses {each.node!r} once as one value and once as several")
            defined[each.node] = each.item is not None
        elif each.tensor not in graph.tensors:
            raise _refused(node, f"it uses the tensor {each.tensor!r}, which does not exist")


def _refused(node: Node, reason: str) -> GraphRefused:
    return GraphRefused(reason, operator=node.operator, node=node.name, line=node.line)
