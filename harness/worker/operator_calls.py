"""What torch's schemas say of a call: whether it trains, what it writes into, and which operator does without."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor

from harness.graph.operators import why_not
from harness.graph.refusal import GraphRefused
from harness.worker.source_lines import line

_TRAINING = ("train", "training")
"""What operators call the argument that makes them train."""
_STATISTICS = ("running_mean", "running_var")


def trains(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether a call draws random numbers or looks at the whole batch; taken apart, it says so by its name."""
    return any(_given(func, args, kwargs).get(name) is True for name in _TRAINING)


def refuse_statistics(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Refuse normalisation by the batch before it changes the running statistics."""
    given = _given(func, args, kwargs)
    if "batch_norm" in str(func) and (given.get("training") or given.get("train")):
        raise GraphRefused(why_not("aten._native_batch_norm_legit"), operator=str(func), line=line())
    if given.get("use_input_stats") and any(given.get(each) is not None for each in _STATISTICS):
        raise GraphRefused("the operator changes its running statistics", operator=str(func), line=line())


def changed_by(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
    """What an operator writes into, and its keywords without a place for the result.

    Raises:
        GraphRefused: it writes into several tensors.
    """
    written = [each for each in func._schema.arguments if each.alias_info and each.alias_info.is_write]  # noqa: SLF001
    changed = _given(func, args, kwargs).get(written[0].name)
    if len(written) != 1 or not isinstance(changed, Tensor):
        raise GraphRefused("the operator writes into several tensors", operator=str(func), line=line())
    place = written[0].name if written[0].is_out else None
    return changed, {name: each for name, each in kwargs.items() if name != place}


@cache
def functional(func: Any) -> Callable[..., Tensor] | None:
    """The operator that makes a new value of what `func` writes into an argument; None if there is none."""
    packet, _, overload = str(func).removeprefix("aten.").partition(".")
    name = packet.replace("__i", "__") if packet.startswith("__i") else packet.removesuffix("_")
    found = getattr(torch.ops.aten, name, None)
    if found is None:
        return None
    inputs = [str(each.type) for each in func._schema.arguments if not each.is_out]  # noqa: SLF001
    for name in (overload, *found.overloads()):
        twin = getattr(found, name, None)
        schema = twin and twin._schema  # noqa: SLF001
        if schema and not schema.is_mutable and [str(each.type) for each in schema.arguments] == inputs:
            return twin
    return None


def _given(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {**dict(zip((each.name for each in func._schema.arguments), args, strict=False)), **kwargs}  # noqa: SLF001
