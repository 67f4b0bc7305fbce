"""Find the state_dict in what a weights file holds: alone, in a training checkpoint, in a pickled module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.errors import SubmissionError

_STATE_NAMES = (
    *("model_state_dict", "state_dict", "model_state", "model", "net", "network", "student", "student_state_dict"),
    *("student_model", "ema", "model_ema", "ema_state_dict", "weights", "params", "module", "net_state_dict"),
)
HINT = "hand in torch.save(model.state_dict(), …)"
_OPTIMIZER = frozenset(
    {"step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer", "square_avg", "grad_avg", "acc_delta"}
    | {"exp_inf", "step_size", "mu_product"}
)
"""What torch's optimizers keep for a parameter."""

Found = tuple[dict[str, Any], list[str], dict[str, int]]
"""The tensors by name, how they were found, and the versions of the modules in them."""


def find_state(content: Any) -> Found:
    """The state dict inside what was saved, how it was found, and the versions of the modules in it."""
    found = _searched(content, 0)
    if found is not None:
        return found
    optimizer = _optimizer_in(content, "", 0)
    if optimizer is not None:
        where = f" (in {optimizer!r})" if optimizer else ""
        raise SubmissionError(
            "rejected",
            f"the file holds the state of an optimizer{where}, its step counts and averages, not a network's weights",
            "save the network, not the optimizer: torch.save(model.state_dict(), 'weights.pt')",
        )
    if isinstance(content, Mapping):
        raise SubmissionError("rejected", f"there is no state_dict in the weights file{_shown(content)}", HINT)
    if isinstance(content, list | tuple) and content and all(is_tensor(each) for each in content):
        raise SubmissionError(
            "rejected",
            f"the weights file holds {len(content)} tensors without their names, such as list(model.parameters())",
            "save the names too: torch.save(model.state_dict(), 'weights.pt')",
        )
    raise SubmissionError("rejected", f"the weights file holds a {type(content).__name__}, not a state_dict", HINT)


def _shown(content: Mapping[Any, Any]) -> str:
    return f": it holds {', '.join(repr(str(name)[:40]) for name in list(content)[:6])}" if content else ""


def _searched(content: Any, depth: int) -> Found | None:
    whole = _module_state(content)
    if whole is not None:
        return dict(whole), ["the file holds a whole pickled module; its state_dict was taken"], versions_of(whole)
    if not isinstance(content, Mapping) or _is_optimizer(content):
        return None
    inner = {name: value for name, value in content.items() if isinstance(name, str) and _is_state(value)}
    direct = [name for name, value in content.items() if is_tensor(value)]
    if direct and (not inner or any("." in str(name) for name in direct)):
        return _named(content), [], versions_of(content)
    if inner:
        return _chosen(inner, list(content))
    deeper = [each for each in content.values() if isinstance(each, Mapping) and each] if depth < 3 else []
    return next((found for each in deeper if (found := _searched(each, depth + 1)) is not None), None)


def _is_optimizer(value: Any) -> bool:
    """An optimizer, its state_dict, or what it keeps for one parameter."""
    import torch

    if not isinstance(value, Mapping):
        return isinstance(value, torch.optim.Optimizer)
    if "param_groups" in value and ("state" in value or len(value) == 1):
        return True
    return bool(value) and set(value) <= _OPTIMIZER


def _optimizer_in(content: Any, name: str, depth: int) -> str | None:
    """Where in a file without a network an optimizer is; '' where it is the whole file."""
    if _is_optimizer(content):
        return name
    if depth < 3 and isinstance(content, Mapping | list | tuple):
        parts = content.items() if isinstance(content, Mapping) else enumerate(content)
        for inner, each in list(parts)[:100]:
            found = _optimizer_in(each, name or str(inner)[:40], depth + 1)
            if found is not None:
                return found
    return None


def versions_of(state: Any) -> dict[str, int]:
    """Torch's `_metadata` of a state_dict: path of a module -> version."""
    metadata = getattr(state, "_metadata", None)
    entries = metadata.items() if isinstance(metadata, Mapping) else ()
    versions = {path: each.get("version") for path, each in entries if isinstance(each, Mapping)}
    return {
        path: version
        for path, version in versions.items()
        if isinstance(path, str) and type(version) is int and 0 <= version <= 10**6
    }


def _chosen(inner: Mapping[str, Any], names: list[Any]) -> Found:
    chosen = next((name for name in _STATE_NAMES if name in inner), None)
    if chosen is None and len(inner) > 1:
        raise SubmissionError(
            "rejected", f"the checkpoint holds several state_dicts: {', '.join(list(inner)[:8])}",
            "save only the one to be graded, or call it model_state_dict",
        )  # fmt: skip
    chosen = chosen or next(iter(inner))
    state = _module_state(inner[chosen])
    rest = [str(name) for name in names if name != chosen]
    beside = f" (beside {', '.join(rest[:6])})" if rest else ""
    found = inner[chosen] if state is None else state
    return _named(found), [f"a checkpoint: {chosen!r} was taken{beside}"], versions_of(found)


def _module_state(value: Any) -> dict[str, Any] | None:
    """The state of a pickled module, of a class we have or of one we do not."""
    import torch

    from harness.worker.checkpoints import Inert

    if isinstance(value, torch.jit.ScriptModule):
        raise SubmissionError("rejected", "the weights file holds a TorchScript program", HINT)
    if isinstance(value, torch.nn.Module):
        return torch.nn.Module.state_dict(value)
    if isinstance(value, Inert) and "_parameters" in vars(value) and "_modules" in vars(value):
        return _walked(value, "", 0)
    return None


def _walked(value: Any, prefix: str, depth: int) -> dict[str, Any]:
    """Parameters and buffers of a module whose class is unknown, in state_dict order."""
    attributes, state = vars(value), dict[str, Any]()
    transient = attributes.get("_non_persistent_buffers_set") or ()
    for part in ("_parameters", "_buffers"):
        for name, each in (attributes.get(part) or {}).items():
            if each is not None and not (part == "_buffers" and name in transient):
                state[f"{prefix}{name}"] = each
    for name, child in (attributes.get("_modules") or {}).items():
        if depth < 100 and hasattr(child, "_parameters"):
            state |= _walked(child, f"{prefix}{name}.", depth + 1)
    return state


def _named(state: Mapping[Any, Any]) -> dict[str, Any]:
    if not all(isinstance(name, str) for name in state):
        raise SubmissionError("rejected", "the state_dict has names that are not text", HINT)
    return dict(state)


def _is_state(value: Any) -> bool:
    if isinstance(value, Mapping) and value:
        named = all(isinstance(name, str) for name in value) and not _is_optimizer(value)
        return named and any(is_tensor(each) for each in value.values())
    return _module_state(value) is not None


def is_tensor(value: Any) -> bool:
    import numpy as np
    import torch

    return isinstance(value, torch.Tensor | np.ndarray)
