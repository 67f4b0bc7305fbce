"""Run student code that was written for a GPU on the CPU.

`cpu_only()` makes requests for a GPU mean the CPU while student code runs: `.cuda()` and `.to("cuda")` of tensors and
modules, `device="cuda"` where tensors are made, and `torch.load` of files saved on a GPU. Nothing else is changed, and
all of it is put back afterwards. `torch.cuda.is_available()` keeps telling the truth.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

_ACCELERATORS = ("cuda", "mps", "xpu", "hpu")
_MAKERS = (
    *("zeros", "ones", "empty", "full", "rand", "randn", "randint", "randperm", "arange", "linspace", "eye", "tensor"),
    *("as_tensor", "zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like"),
)
_TENSOR_MAKERS = ("new_zeros", "new_ones", "new_empty", "new_full", "new_tensor")
_depth = [0]


@contextlib.contextmanager
def cpu_only() -> Iterator[None]:
    """Within the block, every wish for an accelerator is answered by the CPU. May be nested."""
    if _depth[0]:
        yield
        return
    replaced = [(owner, name, getattr(owner, name)) for owner, name, _ in _replacements()]
    _depth[0] += 1
    try:
        for owner, name, new in _replacements():
            setattr(owner, name, new)
        yield
    finally:
        _depth[0] -= 1
        for owner, name, old in replaced:
            setattr(owner, name, old)


def _replacements() -> list[tuple[Any, str, Callable[..., Any]]]:
    import torch

    tensor, module = torch.Tensor, torch.nn.Module
    return [
        (tensor, "cuda", _itself),
        (module, "cuda", _itself),
        (tensor, "to", _moved(tensor.to)),
        (module, "to", _moved(module.to)),
        *((torch, name, _on_cpu(getattr(torch, name))) for name in _MAKERS),
        *((tensor, name, _on_cpu(getattr(tensor, name))) for name in _TENSOR_MAKERS),
        (torch, "load", _loaded(torch.load)),
        *((torch.cuda, name, lambda *_, **__: None) for name in ("set_device", "synchronize", "empty_cache")),
        (torch, "compile", _uncompiled),
    ]


def _itself(self: Any, *_: Any, **__: Any) -> Any:
    return self


# There is no compiler in the sandbox, and compiling changes no result.
def _uncompiled(model: Any = None, **_: Any) -> Any:
    return model if model is not None else (lambda each: each)


def _cpu(device: Any) -> Any:
    import torch

    if isinstance(device, str | torch.device) and str(device).partition(":")[0] in _ACCELERATORS:
        return "cpu" if isinstance(device, str) else torch.device("cpu")
    return device


def _on_cpu(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def made(*arguments: Any, **named: Any) -> Any:
        if named.get("device") is not None:
            named["device"] = _numbered(named["device"])
        return function(*arguments, **named)

    return made


def _moved(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def to(self: Any, *arguments: Any, **named: Any) -> Any:
        if arguments:
            arguments = (_numbered(arguments[0]), *arguments[1:])
        if named.get("device") is not None:
            named["device"] = _numbered(named["device"])
        return function(self, *arguments, **named)

    return to


def _numbered(device: Any) -> Any:
    """A bare number is a GPU's."""
    return "cpu" if isinstance(device, int) and not isinstance(device, bool) else _cpu(device)


def _loaded(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def load(file: Any, *_: Any, **named: Any) -> Any:
        return function(file, **{**named, "map_location": "cpu"})

    return load
