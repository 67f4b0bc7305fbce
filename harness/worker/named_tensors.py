"""The tensors that a graph reads, by name: all of the network's state, and whatever else its forward pass uses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from harness.worker.model import paths_of

_Identity = tuple[Any, ...]


class NamedTensors:
    """A network's tensors, and those that a forward pass turns out to read.

    Attributes:
        entries: as `harness.values.graph.TensorEntry`, by name.
        values: by the same names.
    """

    def __init__(self, module: nn.Module) -> None:
        self.entries: dict[str, dict[str, Any]] = {}
        self.values: dict[str, Tensor] = {}
        self._names: dict[_Identity, str] = {}
        self._storages: dict[int, str] = {}
        for name, each in nn.Module.state_dict(module, keep_vars=True).items():
            if isinstance(each, Tensor):
                self._named(name, each, "parameter" if isinstance(each, nn.Parameter) else "buffer")
        self._others = {_identity(each): name for name, each in _attributes(module)}

    def read(self, tensor: Tensor) -> str:
        """The name of a tensor that nothing in the forward pass made: state, another attribute, a variable outside."""
        identity = _identity(tensor)
        return self._names.get(identity) or self._named(self._others.get(identity) or self._free(), tensor, "constant")

    def literal(self, tensor: Tensor) -> str:
        """The name of a tensor of numbers written in the source; a copy of its own."""
        return self._named(self._free(), tensor, "constant")

    def _free(self) -> str:
        return f"constant_{sum(each['kind'] == 'constant' for each in self.entries.values())}"

    def _named(self, name: str, tensor: Tensor, kind: str) -> str:
        """The name under which a tensor stands; `name` becomes another one of it where it had one before."""
        known = self._names.setdefault(_identity(tensor), name)
        if known != name:
            if name not in self.entries[known]["aliases"]:
                self.entries[known]["aliases"].append(name)
        elif name not in self.entries:
            address = tensor.untyped_storage().data_ptr()
            storage = self._storages.setdefault(address, name) if address else name
            dtype, shape = str(tensor.dtype).removeprefix("torch."), list(tensor.shape)
            self.entries[name] = {"kind": kind, "dtype": dtype, "shape": shape, "aliases": [], "storage": storage}
            self.values[name] = tensor.detach()
        return known


def _attributes(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Tensors that modules keep without their being in the state_dict."""
    for path, each in paths_of(module):
        for name, value in (*each._buffers.items(), *vars(each).items()):  # noqa: SLF001
            if isinstance(value, Tensor):
                yield f"{path}.{name}" if path else name, value


def _identity(tensor: Tensor) -> _Identity:
    address = tensor.untyped_storage().data_ptr()
    return (address or id(tensor), tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype)
