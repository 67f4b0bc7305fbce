"""Write weights plainly, as the least they need: the same bytes for the same weights, whatever their file.

The tensors follow one another in the order of the file; nothing stands between them, since names, shapes and widths
are the network's, not the weights'. A tensor is either all its values, or, where that is shorter, a mask of one bit per
value (1: not zero, the first value in the highest bit) and then the values that are not zero. Masks, and values
narrower than a byte, are padded to whole bytes.

Values of 16 bits and more are little-endian floats (or integers, where the file held integers); narrower ones are whole
numbers, after what turns them back into values (`harness_sizes.levels`): two numbers per range of a quantiser.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from harness.api import ModelFacts
from harness.api.weights import live_masks, twins
from harness_sizes.levels import levels

if TYPE_CHECKING:
    from torch import Tensor

_ZSTD_LEVEL = 10


class Stored(Protocol):
    """What came from a weights file: the student's own network, or a checkpoint beside it."""

    @property
    def decoded(self) -> Mapping[str, Tensor]: ...

    @property
    def facts(self) -> ModelFacts: ...


def canonical(student: Stored) -> bytes:
    """All tensors of the weights file: live masks multiplied in, each shared storage once, running statistics too."""
    bits = stored_bits(student)
    return b"".join(
        tensor_bytes(tensor, bits.get(name, own_bits(tensor))) for name, tensor in handed_in(student).items()
    )


def state_bytes(student: Stored, weights: Mapping[str, Tensor], aliases: Iterable[tuple[str, ...]]) -> int:
    """The same for changed weights under the model's names, each tensor in the width it had in the file if it fits."""
    bits = stored_bits(student)
    widths = {name.removesuffix("_orig"): each for name, each in bits.items()} | bits
    doubled = twins(weights, aliases)
    return sum(
        len(tensor_bytes(each, widths.get(name, own_bits(each))))
        for name, each in weights.items()
        if name not in doubled
    )


def handed_in(student: Stored) -> dict[str, Tensor]:
    """The decoded tensors by name, less what the others determine."""
    masks, doubled = live_masks(student.decoded), twins(student.decoded, student.facts.aliases)
    return dict(_masked(student.decoded, masks, doubled))


def _masked(
    decoded: Mapping[str, Tensor], masks: Mapping[str, Tensor], left_out: Mapping[str, str]
) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in decoded.items():
        if name in left_out or (name.endswith("_mask") and name.removesuffix("_mask") in masks):
            continue
        mask = masks.get(name.removesuffix("_orig")) if name.endswith("_orig") else None
        yield name, tensor if mask is None else tensor.masked_fill(mask == 0, 0)


def stored_bits(student: Stored) -> dict[str, int]:
    """Bits per value in the file, by the names of `student.decoded`; those the worker says nothing of are left out.

    The worker names tensors as the file does, `decoded` as the network does: they differ by a common prefix.
    """
    said, names = student.facts.stored_bits, list(student.decoded)
    first = names[0] if names else ""
    dropped = [each.removesuffix(first) for each in said if each.endswith(first)]
    added = [first.removesuffix(each) for each in said if first.endswith(each)]
    renamings = [{name: prefix + name for name in names} for prefix in dropped]
    renamings += [{name: name.removeprefix(prefix) for name in names} for prefix in added]
    best = max(renamings, key=lambda each: sum(old in said for old in each.values()), default={})
    return {new: said[old] for new, old in best.items() if old in said}


def tensor_bytes(tensor: Tensor, bits: int) -> bytes:
    """One tensor at `bits` per value, or at its own width in memory if its values do not all fit into that."""
    import numpy as np

    flat = tensor.reshape(-1)
    kept = (flat.double() if flat.is_floating_point() else flat) != 0
    mask = np.packbits(kept.numpy()).tobytes()
    written = [_at_width(flat, bits), mask + _at_width(flat[kept], bits)]
    if _is_narrow(tensor, bits):
        # Behind a mask zero needs no level: an 8-bit tensor of 256 values stays one when some of it is pruned.
        dense, sparse = levels(tensor, bits), levels(tensor, bits, without_zeros=True)
        written += [dense.data(bits)] if dense else []
        written += [mask + sparse.data(bits)] if sparse else []
    return min(written, key=len)


def _is_narrow(tensor: Tensor, bits: int) -> bool:
    return bits <= 8 and bits < own_bits(tensor)


def micronet_parameters(student: Stored) -> float:
    """Storage as the MicroNet challenge counts it: values of 32 bits, narrower ones as the fraction of one they are.

    Pruned tensors are their values that are not zero and a bitmask, quantised ones hold their ranges too; step counters
    are not needed for inference. Where nothing is quantised below 16 bits, everything counts as if it had 16
    (https://micronet-challenge.github.io/scoring_and_submission, "Parameter Storage").
    """
    said = stored_bits(student)
    tensors = {name: each for name, each in handed_in(student).items() if not name.endswith("num_batches_tracked")}
    sizes = {name: _narrow_bits(each, said.get(name, own_bits(each))) for name, each in tensors.items()}
    free = all(size is None or _is_flags(tensors[name]) for name, size in sizes.items())
    bits = 0
    for name, each in tensors.items():
        narrow, said_width = sizes[name], said.get(name, own_bits(each))
        width = said_width if said_width >= 16 else own_bits(each)
        bits += _sparse_bits(each, 16 if free else width) if narrow is None else narrow
    return bits / 32


def _sparse_bits(tensor: Tensor, width: int) -> int:
    """All values, or a bit for each and those that are not zero."""
    count, kept = tensor.numel(), int((tensor.double() != 0).sum())
    return min(count * width, count + kept * width)


def _narrow_bits(tensor: Tensor, claimed: int) -> int | None:
    """What a tensor of fewer than 16 bits per value takes; None for a wider one, or if the values do not fit."""
    count = tensor.numel()
    if _is_flags(tensor):
        return count
    if not _is_narrow(tensor, claimed):
        return _sparse_bits(tensor, own_bits(tensor)) if own_bits(tensor) < 16 else None
    dense, sparse = levels(tensor, claimed), levels(tensor, claimed, without_zeros=True)
    sizes = [dense.size_bits(claimed)] if dense else []
    sizes += [count + sparse.size_bits(claimed)] if sparse else []
    return min(sizes, default=None)


def _is_flags(tensor: Tensor) -> bool:
    """Whether it holds yes and no, a bit each: a bool tensor, which files are read into whole numbers for."""
    return not tensor.is_floating_point() and own_bits(tensor) == 8 and bool(((tensor == 0) | (tensor == 1)).all())


def own_bits(tensor: Tensor) -> int:
    """Width of a value in memory."""
    return 8 * tensor.element_size()


def _at_width(flat: Tensor, bits: int) -> bytes:
    """The values one after the other at 16, 32 or 64 bits, if every one fits, else as they lie in memory."""
    import torch

    if flat.is_floating_point() and bits != own_bits(flat):
        widths = {16: (torch.float16, torch.bfloat16), 32: (torch.float32,), 64: (torch.float64,)}
        for dtype in widths.get(bits, ()):
            if flat.to(dtype).to(flat.dtype).equal(flat):
                return raw(flat.to(dtype))
    return raw(flat)


def raw(values: Tensor) -> bytes:
    """As they lie in memory, little-endian."""
    import torch

    data: bytes = values.reshape(-1).contiguous().view(torch.uint8).numpy().tobytes()
    return data


def zstd_size(data: bytes) -> int:
    """Bytes of one Zstandard frame at level 10, on one thread."""
    import zstandard

    return len(zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(data))
