"""Make an exported program functional without tracing it again, where that is easily seen to be right.

torch's own way, `run_decompositions`, traces a second time and costs several times the export. Most networks need
nothing of it but `relu` for `relu_`: an in-place operator on a fresh result that nobody else reads is the functional
one.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx import Node

from harness.graph.operators import operators

_BATCH_NORM = "aten.batch_norm.default"
_TRAINING = ("train", "training", "use_input_stats")
"""What operators call the argument that makes them train."""


def made_functional(exported: ExportedProgram) -> bool:
    """Replace in-place operators, and tell whether all operators are then ones that a graph may have.

    The program is changed; where the answer is no, its in-place operators have not been.
    """
    calls = [each for each in exported.graph.nodes if each.op == "call_function"]
    replaced: dict[Node, Any] = {}
    for node in calls:
        target = node.target
        if isinstance(target, torch._ops.OpOverload) and target._schema.is_mutable:  # noqa: SLF001
            twin = _functional(node)
            if twin is None:
                return False
            replaced[node] = twin
        elif not is_pick(node) and (str(target) not in operators() or _trains(node)):
            return False
    for node, twin in replaced.items():
        node.target = twin
    return True


def _trains(node: Node) -> bool:
    """Whether a call draws random numbers or looks at the whole batch; decomposed, it says so by its name."""
    schema = node.target._schema.arguments if isinstance(node.target, torch._ops.OpOverload) else ()  # noqa: SLF001
    given = {**dict(zip((each.name for each in schema), node.args, strict=False)), **node.kwargs}
    return any(given.get(name) is True for name in _TRAINING)


def _functional(node: Node) -> Any | None:
    """The functional form of an in-place call, if nothing else can see that its argument changes."""
    changed = node.args[0] if node.args else None
    packet, _, overload = str(node.target).removeprefix("aten.").partition(".")
    name = f"aten.{packet.removesuffix('_')}.{overload}"
    if not packet.endswith("_") or packet.endswith("__") or name not in operators():
        return None
    alone = isinstance(changed, Node) and changed.op == "call_function" and set(changed.users) == {node}
    if not alone or not _is_fresh(changed):
        return None
    return getattr(getattr(torch.ops.aten, packet.removesuffix("_")), overload)


def _is_fresh(node: Any) -> bool:
    """Whether a call's result is memory of its own, so that no other name sees it change."""
    name = str(node.target)
    if isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable:  # noqa: SLF001
        return isinstance(node.args[0], Node) and node.args[0].op == "call_function" and _is_fresh(node.args[0])
    return name == _BATCH_NORM or (name in operators() and operators()[name].fresh)


def is_pick(node: Node) -> bool:
    """Whether a node takes one tensor out of a tuple."""
    return getattr(node.target, "__name__", "") == "getitem" and not isinstance(node.target, torch._ops.OpOverload)  # noqa: SLF001
