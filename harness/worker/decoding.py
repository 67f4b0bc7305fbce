"""Decode a weights file inside the sandbox: whatever was handed in becomes plain, dense tensors on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import SubmissionError
from harness.plugins.faults import blaming
from harness.plugins.kinds import WEIGHT_FORMAT
from harness.submission.staging import format_of
from harness.values.networks import RawWeights
from harness.worker.protocol import TOO_MANY_NAMES, can_be_matched
from harness.worker.state_dicts import HINT, find_state

if TYPE_CHECKING:
    from torch import Tensor

    from harness.contracts.formats import WeightFormat
    from harness.worker.checkpoints import ResolveClass


_MAX_BYTES = 256 << 20
_CLONE = "save copies: torch.save({name: each.clone() for name, each in model.state_dict().items()}, 'weights.pt')"
_SPARE_ELEMENTS = 10_000

_NUMBERS = {
    *(
        "float16",
        "bfloat16",
        "float32",
        "float64",
        "float8_e4m3fn",
        "float8_e4m3fnuz",
        "float8_e5m2",
        "float8_e5m2fnuz",
    ),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
}
"""Types that safetensors writes and reads back: by it tensors leave the process that decodes them."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A weights file as plain tensors.

    Attributes:
        tensors: detached, dense, contiguous, on the CPU, each with its own memory; in the order of the file.
        format: name of the weights format.
        aliases: groups of names that shared one region of one storage in the file (tied weights).
        storage_elements: elements of the distinct storages behind the tensors, padding included.
        bits: stored width of each tensor's elements.
        notes: what was taken, dropped or converted.
        versions: how each module saved itself, by its path, where the file says so.
    """

    tensors: dict[str, Tensor]
    format: str
    aliases: tuple[tuple[str, ...], ...]
    storage_elements: int
    bits: dict[str, int]
    notes: tuple[str, ...]
    versions: Mapping[str, int] = field(default_factory=dict)


def decode_weights(
    path: Path,
    formats: Mapping[str, WeightFormat],
    resolve_class: ResolveClass | None = None,
    *,
    max_bytes: int = _MAX_BYTES,
    max_elements: int | None = None,
) -> Decoded:
    """Read the model's tensors from a weights file. Call it in the sandbox only.

    Args:
        resolve_class: finds a student's class by module and name, for whole pickled modules.
        max_bytes: limit for the tensors, and again for the storages behind them.
        max_elements: likewise in elements; by default one per byte of `max_bytes`.

    Raises:
        SubmissionError: unknown format, damaged, too large, or no model in it.
        PluginError: the plugin that knows its format failed.
    """
    from harness.worker.checkpoints import resolving

    chosen = format_of(path, formats)
    if chosen is None:
        reason = f"{path.name} is not a weights file of any known format ({', '.join(formats)})"
        raise SubmissionError("rejected", reason, HINT)
    with resolving(resolve_class), blaming(WEIGHT_FORMAT, chosen, "decode"):
        read = chosen.decode(path)
    raw = read if isinstance(read, RawWeights) else RawWeights(read)
    state, notes, versions = find_state(raw.content)
    found, scalars = _tensors_of(state)
    _limit(found, max_bytes, max_elements if max_elements is not None else max_bytes)
    tensors: dict[str, Tensor] = {}
    bits: dict[str, int] = {}
    for name, each in found.items():
        tensors[name], width, note = _plain(name, each)
        bits[name] = raw.bits.get(name, width)
        notes += [note] if note else []
    stored = _storage_elements(found)
    notes += _padding(stored, sum(each.numel() for each in found.values()))
    dropped = f"not tensors, ignored: {', '.join(scalars[:5])}"
    return Decoded(
        tensors, chosen.name, aliases_of(found), stored, bits,
        (*raw.notes, *dict.fromkeys(notes), *([dropped] if scalars else [])), versions,
    )  # fmt: skip


def _tensors_of(state: Mapping[str, Any]) -> tuple[dict[str, Tensor], list[str]]:
    """Tensors by name, and the names of what is none."""
    import numpy as np
    import torch

    tensors: dict[str, Tensor] = {}
    others = []
    for name, value in state.items():
        if isinstance(value, np.ndarray | np.generic):
            if value.dtype.kind not in "fiub" or value.dtype.itemsize > 8:
                raise SubmissionError("rejected", f"{name!r} is an array of {value.dtype}, not of numbers", HINT)
            native = value.dtype.newbyteorder("=")
            tensors[name] = torch.from_numpy(np.array(value, dtype=native, order="C"))
        elif isinstance(value, torch.Tensor):
            tensors[name] = value
        else:
            others.append(name)
    if not tensors:
        raise SubmissionError("rejected", "there are no tensors in the weights file", HINT)
    return tensors, others


def _limit(tensors: Mapping[str, Tensor], max_bytes: int, max_elements: int) -> None:
    """Refuse before anything is made dense or contiguous: a tensor may claim more than its file holds."""
    if not can_be_matched(tensors):
        raise SubmissionError(
            "rejected",
            f"the weights file holds {TOO_MANY_NAMES}",
            "hand in the state_dict of the network only",
        )
    elements = sum(each.numel() for each in tensors.values())
    size = sum(each.numel() * each.element_size() for each in tensors.values())
    stored = sum(size for size, _ in _storages(tensors).values())
    if stored > max_bytes >= size:
        raise SubmissionError(
            "rejected",
            f"the weights are parts of larger tensors: the file holds {stored:,} bytes for {size:,} that are used",
            _CLONE,
        )
    if size > max_bytes or elements > max_elements:
        raise SubmissionError(
            "rejected",
            f"the weights unpack to {elements:,} elements, {size:,} bytes; at most {max_bytes:,} are read",
            "hand in the compressed model only, not the teacher",
        )


def _padding(stored: int, used: int) -> list[str]:
    if stored <= 2 * used + _SPARE_ELEMENTS:
        return []
    return [f"the weights file holds {stored:,} numbers for {used:,} that are used: parts of larger tensors. {_CLONE}"]


def _plain(name: str, tensor: Tensor) -> tuple[Tensor, int, str | None]:
    """A plain copy, its stored bits per element, and a note when its type was changed."""
    import torch

    if tensor.is_complex():
        raise SubmissionError(
            "rejected",
            f"{name!r} holds complex numbers, which are not counted here: real ones are",
            "keep real numbers: nn.Parameter(torch.view_as_real(w)), and torch.view_as_complex(self.w) in forward",
        )
    if tensor.is_nested or tensor.is_meta:
        kind = "nested" if tensor.is_nested else "without data"
        raise SubmissionError("rejected", f"{name!r} is {kind}, which is not supported", HINT)
    try:
        bits = 8 * tensor.element_size()
        plain, note = tensor.detach(), None
        if type(plain) is not torch.Tensor:
            plain = plain.as_subclass(torch.Tensor)
        if plain.is_quantized:
            plain, note = torch.dequantize(plain), "quantised tensors were dequantised"
        if plain.layout != torch.strided:
            plain, note = plain.to_dense(), "sparse tensors were made dense"
        if plain.dtype == torch.bool:
            plain, note = plain.to(torch.uint8), "bool tensors were read as uint8"
        kind = str(plain.dtype).removeprefix("torch.")
        if kind not in _NUMBERS:
            hint = "save them as float8_e4m3fn, float16 or float32: tensor.to(torch.float16)"
            raise SubmissionError("rejected", f"{name!r} holds numbers of type {kind}, which are not read here", hint)
        return plain.to("cpu").clone(memory_format=torch.contiguous_format), bits, note
    except (RuntimeError, TypeError, NotImplementedError) as error:
        reason = f"{name!r} cannot be made a plain tensor: {str(error)[:200]}"
        raise SubmissionError("rejected", reason, HINT) from error


def _region(tensor: Tensor) -> tuple[int, int, int] | None:
    """(storage, first byte, byte after the last); None where there is no plain storage."""
    import torch

    if tensor.layout != torch.strided or tensor.is_meta or tensor.numel() == 0:
        return None
    try:
        storage = tensor.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError):
        return None
    span = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    width = tensor.element_size()
    start = tensor.storage_offset() * width
    return storage, int(start), int(start + (span + 1) * width)


def aliases_of(tensors: Mapping[str, Tensor]) -> tuple[tuple[str, ...], ...]:
    """Names with the very same region. Partly overlapping ones are not tied: each counts in full."""
    groups: dict[object, list[str]] = {}
    for name, each in tensors.items():
        region = _region(each)
        if region is not None:
            groups.setdefault((region, each.numel()), []).append(name)
    return tuple(tuple(names) for names in groups.values() if len(names) > 1)


def _storages(tensors: Mapping[str, Tensor]) -> dict[object, tuple[int, int]]:
    """Distinct storage -> (bytes, bytes per element)."""
    found: dict[object, tuple[int, int]] = {}
    for name, each in tensors.items():
        region = _region(each)
        if region is None:
            parts = [each] if not each.is_sparse else [each._values()]  # noqa: SLF001 - the public name coalesces
            size = sum(part.numel() * part.element_size() for part in parts)
            found[name] = (size, each.element_size())
        else:
            found[region[0]] = (each.untyped_storage().nbytes(), each.element_size())
    return found


def _storage_elements(tensors: Mapping[str, Tensor]) -> int:
    return sum(size // width for size, width in _storages(tensors).values())
