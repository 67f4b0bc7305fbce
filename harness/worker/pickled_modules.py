"""Bring a module that was pickled whole back to life: what structural pruning left of it is nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from harness.errors import SubmissionError
from harness.worker.building import refuse_quantised
from harness.worker.checkpoints import ResolveClass, load_checkpoint, resolving
from harness.worker.model import modules_of

_NAMES = ("model", "net", "network", "student", "student_model", "ema", "model_ema", "module")


def pickled_module(path: Path, resolve_class: ResolveClass) -> nn.Module:
    """The module in a file that `torch.save(model)` wrote, made of torch's classes and the submission's.

    Raises:
        SubmissionError: it holds none, several, a quantised one, or one of classes that are neither.
    """
    with resolving(resolve_class):
        content = load_checkpoint(path).content
    module = _unwrapped(_found(content, path))
    for each in modules_of(module):
        _check(each, path)
    refuse_quantised(module, type(module).__name__, path.name)
    return module


def _found(content: Any, path: Path) -> nn.Module:
    if isinstance(content, nn.Module):
        return content
    items = list(content.items()) if isinstance(content, Mapping) else []
    modules = {str(name): each for name, each in items if isinstance(each, nn.Module) and nn.Module.state_dict(each)}
    chosen = next((modules[name] for name in _NAMES if name in modules), None)
    if chosen is None and len(modules) == 1:
        chosen = next(iter(modules.values()))
    if chosen is None:
        raise SubmissionError(
            "rejected", f"{path.name} holds no module that was pickled whole", "save model.state_dict()"
        )
    return chosen


def _unwrapped(module: nn.Module) -> nn.Module:
    """The network inside `nn.DataParallel`, which wants GPUs."""
    inner = module._modules.get("module")  # noqa: SLF001 - a student's class may override `__getattr__`
    return inner if isinstance(module, nn.DataParallel) and inner is not None else module


def _check(module: nn.Module, path: Path) -> None:
    # A class that is not there was replaced by something inert, which is no module.
    whole = all(isinstance(each, nn.Module) for each in module._modules.values() if each is not None)  # noqa: SLF001
    if not whole or isinstance(module, torch.jit.ScriptModule):
        raise SubmissionError(
            "rejected",
            f"{path.name} holds a pickled module of classes that are not in the submission",
            "hand in the file that defines them, under the name it had",
        )
