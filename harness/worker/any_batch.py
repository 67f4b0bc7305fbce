"""Turn two graphs of one network, traced at two batch sizes, into one for any number of images.

Tracing at a fixed size is several times cheaper than with a symbolic one, and Python's `len(x)`, which is common in
student code, is a plain number in either. A number that grows with the batch is a multiple of its size; whatever else
differs between the two makes the network one of a fixed batch. That other sizes give the module's logits as well is
seen when graph and module are compared.
"""

from __future__ import annotations

from typing import Any

from harness.values.graph import INPUT

SIZES = (4, 6)
"""Neither is 0 or 1, which torch treats apart, and no small number is a multiple of one in both."""
_SIZE = "N"


class NotForAnyBatch(Exception):
    """The two graphs differ in more than the number of images."""


def for_any_batch(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The graph that both are, with the number of images left open.

    Args:
        one: as `harness.worker.trace` writes it, traced at `SIZES[0]` images.
        other: the same at `SIZES[1]`.

    Raises:
        NotForAnyBatch: there is none.
    """
    alike = all(one[key] == other[key] for key in ("classes", "tensors", "output")) and len(one["nodes"]) == len(
        other["nodes"]
    )
    if not alike:
        raise NotForAnyBatch
    multiples: dict[int, str] = {}
    nodes = [_node(*pair, multiples) for pair in zip(one["nodes"], other["nodes"], strict=True)]
    return {**one, "input": {**one["input"], "batch": None}, "nodes": [*_sizes(multiples), *nodes]}


def _node(one: dict[str, Any], other: dict[str, Any], multiples: dict[int, str]) -> dict[str, Any]:
    if (
        any(one[key] != other[key] for key in ("name", "operator"))
        or one["keywords"].keys() != other["keywords"].keys()
    ):
        raise NotForAnyBatch
    pairs = zip(one["arguments"], other["arguments"], strict=True)
    keywords = {name: _argument(each, other["keywords"][name], multiples) for name, each in one["keywords"].items()}
    return {**one, "arguments": [_argument(*pair, multiples) for pair in pairs], "keywords": keywords}


def _argument(one: Any, other: Any, multiples: dict[int, str]) -> Any:
    if type(one) is not type(other):
        raise NotForAnyBatch
    if isinstance(one, list):
        if len(one) != len(other):
            raise NotForAnyBatch
        return [_argument(*pair, multiples) for pair in zip(one, other, strict=True)]
    if one == other:
        return one
    # A bool or None that differs is no size.
    times, rest = divmod(one, SIZES[0]) if type(one) is int else (0, 1)
    if rest or other != times * SIZES[1]:
        raise NotForAnyBatch
    return {"node": multiples.setdefault(times, _SIZE if times == 1 else f"{times}*{_SIZE}")}


def _sizes(multiples: dict[int, str]) -> list[dict[str, Any]]:
    """The nodes that tell the number of images, and its multiples."""
    if not multiples:
        return []
    others = [(times, name) for times, name in multiples.items() if times != 1]
    return [
        _call(_SIZE, "aten.sym_size.int", {"node": INPUT}, 0),
        *(_call(name, "operator.mul", {"node": _SIZE}, times) for times, name in others),
    ]


def _call(name: str, operator: str, *arguments: Any) -> dict[str, Any]:
    return {
        "name": name, "operator": operator, "arguments": list(arguments), "keywords": {}, "module": "", "line": None
    }  # fmt: skip
