"""Copy networks that `copy.deepcopy` refuses as they are after training.

Pruning masks, weight and spectral norm, and activations that were kept leave tensors in a module's attributes that
belong to autograd's graph. A forward pass makes them anew, so their values will do. What else cannot be copied, such as
a lock or an open file, is shared.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from harness.worker.failures import is_out_of_memory
from harness.worker.model import modules_of

_DEPTH = 4
_OWN = frozenset(vars(nn.Module()))


def copied(module: nn.Module, memo: Mapping[int, Any] | None = None) -> nn.Module:
    """A copy that shares no tensor with the module.

    Args:
        memo: copies that there are already, by the id of the original, as for `copy.deepcopy`.

    Raises:
        Exception: whatever `copy.deepcopy` raises.
    """
    known = dict(memo or {})
    for tensor in _attributes_tensors(module):
        if not tensor.is_leaf:
            known.setdefault(id(tensor), tensor.detach().clone())
    try:
        return copy.deepcopy(module, dict(known))
    except Exception as error:
        if is_out_of_memory(error):
            raise
    return copy.deepcopy(module, known | _shared(module, known))


def _attributes_tensors(module: nn.Module) -> Iterator[Tensor]:
    for owner in modules_of(module):
        yield from _tensors_in([value for name, value in vars(owner).items() if name not in _OWN])


def _tensors_in(value: Any, depth: int = _DEPTH) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif depth and isinstance(value, list | tuple | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _tensors_in(each, depth - 1)


def _shared(module: nn.Module, known: Mapping[int, Any]) -> dict[int, Any]:
    """Attributes that cannot be copied, as copies of themselves."""
    found = {}
    for owner in modules_of(module):
        for value in (value for name, value in vars(owner).items() if name not in _OWN):
            try:
                copy.deepcopy(value, dict(known))
            except Exception:  # noqa: BLE001 - what a student's object raises when it is copied
                found[id(value)] = value
    return found
