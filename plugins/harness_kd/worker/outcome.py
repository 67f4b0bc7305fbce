"""Record one call of a student's KD loss: its value, its gradients, its side effects. No judging here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.api.worker import describe
from harness_kd.worker.binding import KdAttempt
from harness_kd.worker.hyperparameters import Numbers

if TYPE_CHECKING:
    from torch import Tensor

Outcome = dict[str, Any]
_INPUTS = ("student", "labels", "teacher")


def outcome(
    attempt: KdAttempt, probe: dict[str, Any], tensors: Mapping[str, Tensor]
) -> tuple[Outcome, dict[str, Tensor]]:
    """Facts of one probe, and tensors `value` (float64 scalar) and `gradient` (float64, as the student logits)."""
    import torch

    numbers = Numbers(float(probe["alpha"]), float(probe["temperature"]))
    inputs = {name: tensors[probe[name]] for name in _INPUTS}
    try:
        exact = inputs if probe["dtype"] == "float64" else _cast(inputs, torch.float32)
        outcome, found = _outcome(attempt, numbers, exact)
        if outcome["kind"] == "raised" and probe["dtype"] == "float64":
            # Functions that mix in float32 constants of their own are fine where they are used.
            return _outcome(attempt, numbers, _cast(inputs, torch.float32))
    except BaseException as error:  # noqa: BLE001 - what a student returned may raise whenever it is touched
        return {"kind": "raised", "error": describe(error)}, {}
    return outcome, found


def _cast(inputs: dict[str, Tensor], dtype: Any) -> dict[str, Tensor]:
    return {name: each if name == "labels" else each.to(dtype) for name, each in inputs.items()}


def _outcome(attempt: KdAttempt, numbers: Numbers, inputs: dict[str, Tensor]) -> tuple[Outcome, dict[str, Tensor]]:
    import torch

    call, leaf, given, outcome = _first_call(attempt, numbers, inputs)
    if "error" in outcome:
        return outcome, {}
    outcome |= {"mutated": [name for name in _INPUTS if not _same(inputs[name], given[name])]}
    result = _scalar(outcome.pop("returned"), outcome)
    found: dict[str, Tensor] = {}
    if result is not None:
        found["value"] = result.detach().to(torch.float64).reshape(())
        gradient = _gradient(result, leaf, outcome)
        if gradient is not None:
            found["gradient"] = gradient
        outcome["repeat_differs"] = _repeat_differs(call, numbers, inputs, found["value"], bool(outcome.get("one_hot")))
    return outcome, found


def teacher_gradient(attempt: KdAttempt, probe: dict[str, Any], tensors: Mapping[str, Tensor]) -> bool:
    """Whether the loss also pulls on the teacher; a function that refuses such inputs does not."""
    import torch

    numbers = Numbers(float(probe["alpha"]), float(probe["temperature"]))
    inputs = {name: tensors[probe[name]] for name in _INPUTS}
    teacher = inputs["teacher"].to(torch.float32).clone().requires_grad_()
    student = inputs["student"].to(torch.float32).clone().requires_grad_()
    try:
        given = {"student": student.clone(), "labels": inputs["labels"].clone(), "teacher": teacher.clone()}
        result = _scalar(attempt.make(numbers)(given, numbers), {})
        if result is None or not result.requires_grad:
            return False
        (gradient,) = torch.autograd.grad(result.sum(), [teacher], allow_unused=True)
        return gradient is not None and bool(gradient.abs().sum() > 0)
    except BaseException:  # noqa: BLE001 - a student's function may raise anything; this is only for a warning
        return False


def _first_call(attempt: KdAttempt, numbers: Numbers, inputs: dict[str, Tensor]) -> tuple[Any, Any, Any, Outcome]:
    """The callable, the student leaf, the inputs it got, and {"returned": …} or {"kind": "raised", "error": …}."""
    error: BaseException | None = None
    for one_hot in (False, True):
        try:
            call = attempt.make(numbers)
            leaf, given = _fresh(inputs, one_hot=one_hot)
            returned = call(given, numbers)
        except BaseException as raised:  # noqa: BLE001 - students call exit() and raise their own classes
            error = error or raised
            continue
        if one_hot and error is not None:
            # Compared with what was given: a one-hot matrix is no mutation of the labels.
            inputs["labels"] = _one_hot(inputs)
            return call, leaf, given, {"returned": returned, "one_hot": True, "one_hot_error": describe(error)}
        return call, leaf, given, {"returned": returned}
    assert error is not None
    return None, None, None, {"kind": "raised", "error": describe(error)}


def _fresh(inputs: dict[str, Tensor], *, one_hot: bool) -> tuple[Tensor, dict[str, Tensor]]:
    """Clones; the student is not a leaf, as in training, so in-place operations on it are allowed."""
    leaf = inputs["student"].clone().requires_grad_()
    labels = _one_hot(inputs) if one_hot else inputs["labels"]
    return leaf, {"student": leaf.clone(), "labels": labels.clone(), "teacher": inputs["teacher"].clone()}


def _one_hot(inputs: dict[str, Tensor]) -> Tensor:
    import torch

    student = inputs["student"]
    if inputs["labels"].ndim > 1:
        return inputs["labels"]
    return torch.nn.functional.one_hot(inputs["labels"], student.shape[1]).to(student.dtype)


def _same(before: Tensor, after: Any) -> bool:
    import torch

    try:
        return bool(torch.equal(before, after.detach()))
    except (RuntimeError, TypeError, AttributeError):
        return False


def _scalar(returned: Any, outcome: Outcome) -> Tensor | None:
    """The loss among what came back as a tensor of one element, if there is one; `outcome` says what came."""
    import torch

    returned = _unwrapped(returned, outcome)
    if returned is None:
        outcome["kind"] = "none"
    elif not isinstance(returned, torch.Tensor):
        outcome |= {"kind": "not_a_tensor", "type": type(returned).__name__[:60]}
        return _number(returned)
    elif returned.numel() != 1 or returned.is_complex():
        outcome |= {"kind": "not_scalar", "shape": list(returned.shape)[:8]}
    else:
        outcome |= {"kind": "value", "shape": list(returned.shape)[:8], "dtype": str(returned.dtype)[6:]}
        # A subclass of the student's own would answer every later call as it likes.
        return torch.Tensor.as_subclass(returned, torch.Tensor)
    return None


def _number(value: Any) -> Tensor | None:
    """A plain number as a tensor: detached, but its formula can still be judged."""
    import torch

    try:
        return torch.tensor(float(value), dtype=torch.float64)
    except (TypeError, ValueError, OverflowError):
        return None


def _unwrapped(returned: Any, outcome: Outcome) -> Any:
    """The first of several results, or the entry called loss."""
    if isinstance(returned, tuple | list) and returned:
        outcome["wrapped"] = f"a {type(returned).__name__[:30]} of {len(returned)}"
        return returned[0]
    if isinstance(returned, dict) and returned:
        key = next((key for key in ("loss", "total", "total_loss", "kd_loss") if key in returned), None)
        outcome["wrapped"] = f"a dict of {len(returned)}"
        return returned[key] if key else next(iter(returned.values()))
    return returned


def _gradient(result: Tensor, leaf: Tensor, outcome: Outcome) -> Tensor | None:
    import torch

    if not result.requires_grad:
        outcome["gradient"] = "detached"
        return None
    try:
        (gradient,) = torch.autograd.grad(result.sum(), [leaf], allow_unused=True)
    except RuntimeError as error:
        outcome |= {"gradient": "failed", "gradient_error": describe(error)}
        return None
    outcome["gradient"] = "detached" if gradient is None else "given"
    return None if gradient is None else gradient.detach().to(torch.float64)


def _repeat_differs(call: Any, numbers: Numbers, inputs: dict[str, Tensor], value: Tensor, one_hot: bool) -> bool:
    """Whether the same inputs give another value the second time: state between calls, or randomness."""
    import torch

    try:
        again = _scalar(call(_fresh(inputs, one_hot=one_hot)[1], numbers), {})
    except BaseException:  # noqa: BLE001 - raising only the second time is a difference as well
        return True
    if again is None:
        return True
    return not torch.allclose(again.detach().to(torch.float64).reshape(()), value, rtol=1e-5, atol=1e-7, equal_nan=True)
