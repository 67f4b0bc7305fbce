"""Keeping a student's tensors on the CPU: hand-ins are written for Colab and say `.cuda()` or `device="cuda"`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class OnCPU(TorchFunctionMode):
    """While active, torch functions that are asked for a CUDA device use the CPU."""

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.Tensor.cuda:
            return args[0]
        named = {name: _local(value) for name, value in (kwargs or {}).items()}
        return func(*(_local(value) for value in args), **named)


def _local(value: Any) -> Any:
    if isinstance(value, torch.device) and value.type == "cuda":
        return torch.device("cpu")
    if isinstance(value, str) and value.split(":")[0] == "cuda":
        return "cpu"
    return value
