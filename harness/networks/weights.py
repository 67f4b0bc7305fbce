"""Prepare weights as the grader owns them: masks multiplied in, names matched to the model, elements counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from harness.errors import SubmissionError

if TYPE_CHECKING:
    from torch import Tensor


def refuse_non_finite(decoded: Mapping[str, Tensor], parameters: Iterable[str] | None = None) -> None:
    """Raise SubmissionError when weights are NaN, or infinite where they are learned.

    Masks hold -inf, and observers that never ran hold inf: both are buffers.

    Args:
        parameters: the names of parameters; all of them where they are not known.
    """
    import torch

    known = None if parameters is None else {each.removesuffix("_orig") for each in parameters}
    for name, each in decoded.items():
        if not each.is_floating_point():
            continue
        numbers = each.float() if each.element_size() == 1 else each  # torch has no isfinite for floats of 8 bits
        nan, infinite = bool(torch.isnan(numbers).any()), bool(torch.isinf(numbers).any())
        learned = known is None or name.removesuffix("_orig") in known or is_statistic(name, decoded)
        if nan or (infinite and learned):
            raise SubmissionError(
                "rejected",
                f"the weights contain {'NaN' if nan else 'infinite numbers'} in {name!r}",
                "training diverged, or fp16 overflowed: save a checkpoint from before that",
            )


_MOST_BATCHES = 1 << 40
_INDEX_BYTES = 2
"""Whole numbers that need no more are indices, steps and the like, or single weights."""
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def live_masks(decoded: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The masks of `torch.nn.utils.prune`: `<name>_mask` beside `<name>_orig`, of equal shape and only 0 and 1.

    Returns:
        Parameter name (without suffix) -> mask.
    """
    pairs = {
        name.removesuffix("_orig"): (each, decoded.get(name.removesuffix("_orig") + "_mask"))
        for name, each in decoded.items()
        if name.endswith("_orig")
    }
    return {
        name: mask
        for name, (original, mask) in pairs.items()
        if mask is not None and mask.shape == original.shape and bool(((mask == 0) | (mask == 1)).all())
    }


def for_model(decoded: Mapping[str, Tensor], state: Iterable[str]) -> dict[str, Tensor]:
    """The tensors under the model's names, each masked parameter multiplied by its mask.

    A mask is never left to the model alone: a network that ignores it would keep weights that are not counted.
    """
    masks = live_masks(decoded)
    plain = {name: each for name, each in decoded.items() if not _is_masked(name, masks)}
    plain |= {name: _masked(decoded[f"{name}_orig"], mask) for name, mask in masks.items()}
    tensors = {}
    for name in state:
        if name.endswith("num_batches_tracked") and name in plain and is_statistic(name, decoded):
            tensors[name] = plain[name].new_zeros(plain[name].shape)  # nothing needs it that is not trained
            continue
        base = name.removesuffix("_orig").removesuffix("_mask")
        if name in plain:
            tensors[name] = plain[name]
        elif base in plain:  # the model prunes itself: it wants the pair
            tensors[name] = (
                plain[base] if name.endswith("_orig") else masks.get(base, plain[base].new_ones(plain[base].shape))
            )
    return tensors


def _masked(tensor: Tensor, mask: Tensor) -> Tensor:
    numbers = tensor.float() if tensor.element_size() == 1 and tensor.is_floating_point() else tensor
    return numbers * mask.to(numbers.dtype)


def twins(tensors: Mapping[str, Tensor], aliases: Iterable[tuple[str, ...]]) -> dict[str, str]:
    """Second names of one storage: further name -> first name. Believed only where the values are equal."""
    return {
        name: first
        for first, *rest in aliases
        for name in rest
        if name in tensors and first in tensors and _equal(tensors[first], tensors[name])
    }


def renamed(
    groups: Sequence[Sequence[str]], before: Mapping[str, Tensor], after: Mapping[str, Tensor]
) -> list[tuple[str, ...]]:
    """Groups of names of one file, under the names its tensors got when they were matched to the model.

    A worker says which names are shared: a name that comes again is left out, or a tensor could be its own second name
    and would not count.
    """
    new = origins(before, after)
    seen: set[str] = set()
    disjoint = []
    for group in groups:
        found = [new[name] for name in dict.fromkeys(group) if name in new and name not in seen]
        seen.update(group)
        if len(found) > 1:
            disjoint.append(tuple(found))
    return disjoint


def origins(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> dict[str, str]:
    """The first name in `after` of each tensor of `before` that is in both, be it in another shape."""
    names: dict[object, str] = {}
    for name, tensor in after.items():
        names.setdefault(_place(tensor), name)
    return {name: names[_place(tensor)] for name, tensor in before.items() if _place(tensor) in names}


def _place(tensor: Tensor) -> object:
    return tensor.data_ptr() if tensor.numel() else id(tensor)


def joined(*groups: Iterable[Sequence[str]]) -> list[tuple[str, ...]]:
    """Groups of names, those that have a name in common put together."""
    owners: dict[str, list[str]] = {}
    for group in (each for several in groups for each in several):
        whole = list(dict.fromkeys(name for each in group for name in owners.get(each, [each])))
        owners |= dict.fromkeys(whole, whole)
    return [tuple(each) for each in {id(each): each for each in owners.values()}.values()]


def stored_tensors(decoded: Mapping[str, Tensor], aliases: Iterable[tuple[str, ...]]) -> dict[str, Tensor]:
    """The tensors that count as stored parameters.

    All of them, except running statistics of BatchNorm, live pruning masks, and second names of one storage. What is
    said to be shared is believed only where the values are equal.
    """
    masks, doubled = live_masks(decoded), twins(decoded, aliases)
    return {
        name: each
        for name, each in decoded.items()
        if name not in doubled and not is_statistic(name, decoded) and name.removesuffix("_mask") not in masks
    }


def stored_elements(decoded: Mapping[str, Tensor], aliases: Iterable[tuple[str, ...]]) -> int:
    """Numbers that `stored_tensors` carry: their elements, and more where one has room for several."""
    return sum(each.numel() * carried(each) for each in stored_tensors(decoded, aliases).values())


def carried(tensor: Tensor) -> int:
    """Numbers that each element carries: two of a complex one; of whole numbers beyond any index one for each byte."""
    import torch

    if tensor.is_complex():
        return 2
    if tensor.is_floating_point() or not tensor.numel() or tensor.element_size() <= _INDEX_BYTES:
        return 1
    low, high = map(int, tensor.to(torch.int64).aminmax())
    needed = -(-(max(-low, high).bit_length() + (low < 0)) // 8)
    return needed if needed > _INDEX_BYTES else 1


def nonzero_elements(decoded: Mapping[str, Tensor], aliases: Iterable[tuple[str, ...]]) -> int:
    """Stored elements that are neither exactly zero nor masked."""
    masks = live_masks(decoded)
    total = 0
    for name, each in stored_tensors(decoded, aliases).items():
        kept = each != 0
        if name.removesuffix("_orig") in masks and name.endswith("_orig"):
            kept = kept & (masks[name.removesuffix("_orig")] != 0)
        total += int(kept.sum()) * carried(each)
    return total


def _is_masked(name: str, masks: Mapping[str, Tensor]) -> bool:
    return (name.endswith("_orig") and name.removesuffix("_orig") in masks) or (
        name.endswith("_mask") and name.removesuffix("_mask") in masks
    )


def is_statistic(name: str, decoded: Mapping[str, Tensor]) -> bool:
    """Whether a tensor has the name *and* the shape of a BatchNorm running statistic."""
    prefix, _, last = name.rpartition(".")
    if last not in _STATISTICS:
        return False
    dot = "." if prefix else ""
    pair = [decoded.get(f"{prefix}{dot}{each}") for each in ("running_mean", "running_var")]
    if last == "num_batches_tracked":
        return None not in pair and _counts_batches(decoded[name])
    weight = decoded.get(f"{prefix}{dot}weight")
    return all(each is not None and each.dim() == 1 and each.shape == decoded[name].shape for each in pair) and (
        weight is None or weight.shape == decoded[name].shape
    )


def _counts_batches(tensor: Tensor) -> bool:
    return tensor.numel() == 1 and not tensor.is_floating_point() and 0 <= int(tensor) <= _MOST_BATCHES


def _equal(one: Tensor, other: Tensor) -> bool:
    """To the bit: numbers that are only equal once one is rounded as the other is may differ in what they carry."""
    if one.numel() != other.numel() or one.dtype != other.dtype:
        return False
    transposed = one.dim() == 2 and one.shape == other.shape[::-1] and _bits(one.t()) == _bits(other)
    return transposed or _bits(one) == _bits(other)


def _bits(tensor: Tensor) -> bytes:
    import torch

    data: bytes = tensor.detach().reshape(-1).contiguous().view(torch.uint8).numpy().tobytes()
    return data
