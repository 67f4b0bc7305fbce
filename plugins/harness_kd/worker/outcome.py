"""Record one call of a student's KD loss: its value, its gradients, its side effects. No judging here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.api.worker import describe
from harness_kd.worker.binding import KdAttempt
from harness_kd.worker.forms import TRIED, Inputs, entries, kind_of, picked, teachers
from harness_kd.worker.weights import Numbers

if TYPE_CHECKING:
    from torch import Tensor

Outcome = dict[str, Any]
_INPUTS = ("student", "labels", "teacher")


def outcome(
    attempt: KdAttempt, probe: dict[str, Any], tensors: Mapping[str, Tensor]
) -> tuple[Outcome, dict[str, Tensor]]:
    """Facts of one probe, and tensors `value` (float64 scalar) and `gradient` (float64, as the student logits)."""
    import torch

    inputs = {name: tensors[probe[name]] for name in _INPUTS}
    try:
        exact = inputs if probe["dtype"] == "float64" else _cast(inputs, torch.float32)
        outcome, found = _outcome(attempt, _numbers(attempt, probe), exact)
        if outcome["kind"] == "raised" and probe["dtype"] == "float64":
            # Functions that mix in float32 constants of their own are fine where they are used.
            return _outcome(attempt, _numbers(attempt, probe), _cast(inputs, torch.float32))
    except BaseException as error:  # noqa: BLE001 - what a student returned may raise whenever it is touched
        return {"kind": "raised", "error": describe(error)}, {}
    return outcome, found


def _numbers(attempt: KdAttempt, probe: dict[str, Any]) -> Numbers:
    return attempt.numbers(float(probe["alpha"]), float(probe["temperature"]))


def _cast(inputs: dict[str, Tensor], dtype: Any) -> dict[str, Tensor]:
    return {name: each if name == "labels" else each.to(dtype) for name, each in inputs.items()}


def returned_entries(attempt: KdAttempt, probe: dict[str, Any], tensors: Mapping[str, Tensor]) -> list[KdAttempt]:
    """The attempt once for everything in what it returns that may be the loss."""
    import torch

    inputs = _cast({name: tensors[probe[name]] for name in _INPUTS}, torch.float32)
    try:
        call = _first_call(attempt, _numbers(attempt, probe), inputs)
        found = entries(call.returned)
    except BaseException:  # noqa: BLE001 - the same will be seen, and told, when the probes are tried
        return [attempt]
    return [replace(attempt, path=path, entry=words) for words, path in found]


@dataclass(frozen=True, slots=True, eq=False)
class _Called:
    """A call that returned: with what, on which clones, and what had been raised before in the usual form."""

    call: Any
    leaf: Any
    form: Inputs
    given: dict[str, Any]
    returned: Any
    error: str | None


def _outcome(attempt: KdAttempt, numbers: Numbers, inputs: dict[str, Tensor]) -> tuple[Outcome, dict[str, Tensor]]:
    import torch

    try:
        called = _first_call(attempt, numbers, inputs)
        returned = picked(called.returned, attempt.path)
    except BaseException as error:  # noqa: BLE001 - students call exit() and raise their own classes
        return {"kind": "raised", "error": describe(error), "raises": _raises(error)}, {}
    before = called.form.of(inputs, called.leaf)
    outcome: Outcome = {"mutated": [name for name in _INPUTS if not _same(before[name].detach(), called.given[name])]}
    if called.form.one_hot:
        outcome |= {"one_hot": True, "one_hot_error": called.error}
    outcome |= {"wanted": called.form.words, "wrapped": kind_of(called.returned), "entry": attempt.entry}
    result = _scalar(returned, outcome)
    found: dict[str, Tensor] = {}
    if result is not None:
        found["value"] = result.detach().to(torch.float64).reshape(())
        gradient = _gradient(result, called.leaf, outcome)
        if gradient is not None:
            found["gradient"] = gradient
        outcome["repeat_differs"] = _repeat_differs(attempt, called, numbers, inputs, found["value"])
    return outcome, found


def _raises(error: BaseException) -> str:
    """The exception's builtin kind, which tells a refusal from a mistake."""
    return next(each.__name__ for each in type(error).__mro__ if each.__module__ == "builtins")


def teacher_gradient(attempt: KdAttempt, probe: dict[str, Any], tensors: Mapping[str, Tensor]) -> bool:
    """Whether the loss also pulls on the teacher; a function that refuses such inputs does not."""
    import torch

    inputs = _cast({name: tensors[probe[name]] for name in _INPUTS}, torch.float32)
    teacher = inputs["teacher"].clone().requires_grad_()
    try:
        called = _first_call(attempt, _numbers(attempt, probe), {**inputs, "teacher": teacher})
        result = _scalar(picked(called.returned, attempt.path), {})
        if result is None or not result.requires_grad:
            return False
        (gradient,) = torch.autograd.grad(result.sum(), [teacher], allow_unused=True)
        return gradient is not None and bool(gradient.abs().sum() > 0)
    except BaseException:  # noqa: BLE001 - a student's function may raise anything; this is only for a warning
        return False


def _first_call(attempt: KdAttempt, numbers: Numbers, inputs: dict[str, Tensor]) -> _Called:
    """The call in the first form of inputs that does not raise.

    Raises:
        BaseException: what the usual form raises, where every form raises.
    """
    first: BaseException | None = None
    for form in TRIED:
        if form.whole and numbers.temperature % 1:
            continue
        try:
            call = attempt.make(numbers)
            leaf = inputs["student"].detach().clone().requires_grad_()
            given = form.of(inputs, leaf)
            returned = _returned(attempt, call, numbers, given, form)
        except BaseException as raised:  # noqa: BLE001 - students call exit() and raise their own classes
            first = first or raised
            continue
        return _Called(call, leaf, form, given, returned, describe(first) if first else None)
    assert first is not None
    raise first


def _returned(attempt: KdAttempt, call: Any, numbers: Numbers, given: dict[str, Any], form: Inputs) -> Any:
    if form.whole:
        numbers = replace(numbers, temperature=int(numbers.temperature))
    return call({**given, "teacher": teachers(attempt.teacher, given["teacher"], numbers.temperature)}, numbers)


def _same(before: Tensor, after: Any) -> bool:
    import torch

    try:
        return bool(torch.equal(before, after.detach()))
    except (RuntimeError, TypeError, AttributeError):
        return False


def _scalar(returned: Any, outcome: Outcome) -> Tensor | None:
    """The loss among what came back as a tensor of one element, if there is one; `outcome` says what came."""
    import torch

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


def _repeat_differs(
    attempt: KdAttempt, called: _Called, numbers: Numbers, inputs: dict[str, Tensor], value: Tensor
) -> bool:
    """Whether the same inputs give another value the second time: state between calls, or randomness."""
    import torch

    leaf = inputs["student"].detach().clone().requires_grad_()
    try:
        returned = _returned(attempt, called.call, numbers, called.form.of(inputs, leaf), called.form)
        again = _scalar(picked(returned, attempt.path), {})
    except BaseException:  # noqa: BLE001 - raising only the second time is a difference as well
        return True
    if again is None:
        return True
    return not torch.allclose(again.detach().to(torch.float64).reshape(()), value, rtol=1e-5, atol=1e-7, equal_nan=True)
