"""Fit what a weights file holds to a built network: by names, else by the network's own way of loading it."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from harness.errors import SubmissionError
from harness.networks.differences import Mismatch
from harness.networks.key_matching import closest, match_keys
from harness.networks.session import Answer, Weights
from harness.networks.weights import joined, origins, refuse_non_finite, renamed
from harness.worker.replies import Adopted, Built, Decoded

if TYPE_CHECKING:
    from torch import Tensor

_CONVERT = (
    "convert the file once: model.load_state_dict(torch.load('weights.pt')), then torch.save(model.state_dict(), …), "
    "and hand in the new one"
)
_MOST_DIMENSIONS = 4
_PIECES = (2, 3, 4)
"""Into how many equal pieces a hook may take a tensor apart, or put it together from."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A file's tensors under the model's names.

    Attributes:
        tensors: as decoded, in the file's dtypes.
        aliases: groups of names that are one tensor, in the file or in the built network.
        bits: stored width of each tensor's elements.
        storage_elements: of the file, without what was left out.
        notes: what was changed or left out.
    """

    tensors: dict[str, Tensor]
    aliases: list[tuple[str, ...]]
    bits: dict[str, int]
    storage_elements: int
    notes: tuple[str, ...]


def fitted(
    read: Answer[Decoded], built: Built, adopt: Callable[[Mapping[str, int], Weights], Answer[Adopted]]
) -> Fitted:
    """The tensors of a file under the names of the network.

    Where no renaming of ours fits, or the file was written by older versions of its modules, the network loads it with
    torch's hooks and its own. What those make of it must be in the file: nothing else becomes a weight.

    Args:
        adopt: has the worker that built the network load tensors, with the versions of their file.

    Raises:
        SubmissionError: they do not fit, or are not finite.
    """
    file, said = read.tensors, read.said
    older = [path for path, version in said.versions.items() if version < built.versions.get(path, version)]
    try:
        tensors, notes = match_keys(file, built.state, built.tied)
    except Mismatch as mismatch:
        tensors, notes = _adopted(file, built, said.versions, adopt, mismatch)
    else:
        if older and tensors.keys() == file.keys():
            tensors, notes = _adopted(file, built, said.versions, adopt, None)
    refuse_non_finite(tensors, built.parameters)
    new = origins(file, tensors)
    shared = {name for group in said.aliases for name in group}
    left_out = sum(each.numel() for name, each in file.items() if name not in new and name not in shared)
    return Fitted(
        tensors=tensors,
        aliases=joined(renamed(said.aliases, file, tensors), _present(built.tied, tensors)),
        bits={new[name]: bits for name, bits in said.bits.items() if name in new},
        storage_elements=max(0, said.storage_elements - left_out),
        notes=notes,
    )


def _present(groups: tuple[tuple[str, ...], ...], tensors: Weights) -> Iterator[tuple[str, ...]]:
    for group in groups:
        found = tuple(name for name in group if name in tensors)
        if len(found) > 1:
            yield found


def _adopted(
    file: Weights,
    built: Built,
    versions: Mapping[str, int],
    adopt: Callable[[Mapping[str, int], Weights], Answer[Adopted]],
    mismatch: Mismatch | None,
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    refuse_non_finite(file, ())
    renaming = closest(file, built.state, built.tied)
    sent = {new: file[old] for old, new in renaming.items()}
    paths = {
        old.rpartition(".")[0]: new.rpartition(".")[0] for old, new in renaming.items()
    }  # modules move with their tensors
    answer = adopt({paths.get(path, path): version for path, version in versions.items()}, sent)
    if not answer.said.fits:
        if answer.said.refused is None and mismatch is not None:
            raise mismatch
        reason = answer.said.refused or "names or shapes differ"
        raise SubmissionError("rejected", f"the network does not load the weights file: {reason}", _CONVERT)
    tensors: dict[str, Tensor] = {}
    known = _Known(sent)
    for name, each in answer.tensors.items():
        if name not in built.state and name not in sent:
            raise SubmissionError(
                "rejected", f"loading the weights file gives the network {name!r}, which it is not built with", _CONVERT
            )
        own = known.like(name, each)
        if own is not None:
            tensors[name] = own
        elif not name.endswith("num_batches_tracked"):
            raise SubmissionError(
                "rejected", f"loading the weights file changes its numbers: {name!r} has others than the file", _CONVERT
            )
    if set(built.state) - set(tensors) - {name for name in built.state if name.endswith("num_batches_tracked")}:
        raise SubmissionError("rejected", "loading the weights file removes parts of the network", _CONVERT)
    same = tensors.keys() == sent.keys()
    return tensors, () if same else ("names in the weights file are older ones: the network's modules converted them",)


class _Known:
    """The tensors of a file, to be found by their values."""

    def __init__(self, tensors: Weights) -> None:
        self._tensors = tensors
        self._by_values: dict[torch.dtype, dict[bytes, Tensor]] = {}

    def like(self, name: str, loaded: Tensor) -> Tensor | None:
        """The tensor of the file that was loaded, in the shape it has now; None where there is none with these values.

        It may have been reshaped, its dimensions may have been exchanged, and it may be a part of a larger tensor or
        several put together, as attention's query, key and value are.
        """
        own = self._tensors.get(name)
        if own is not None and own.numel() == loaded.numel() and _values(own, loaded.dtype) == _values(loaded):
            return own.reshape(loaded.shape)
        if loaded.dtype not in self._by_values:
            self._by_values[loaded.dtype] = self._indexed(loaded.dtype)
        return self._found(loaded)

    def _indexed(self, dtype: torch.dtype) -> dict[bytes, Tensor]:
        found: dict[bytes, Tensor] = {}
        for pieces in (1, *_PIECES):
            for each in self._tensors.values():
                for part in each.reshape(pieces, -1) if each.numel() and each.numel() % pieces == 0 else ():
                    found.setdefault(_values(part, dtype), each if pieces == 1 else torch.clone(part))
        return found

    def _found(self, loaded: Tensor) -> Tensor | None:
        known = self._by_values[loaded.dtype]
        whole = known.get(_values(loaded))
        if whole is not None:
            return whole.reshape(loaded.shape)
        if 2 <= loaded.dim() <= _MOST_DIMENSIONS:
            for order in itertools.permutations(range(loaded.dim())):
                before = known.get(_values(loaded.permute(order)))
                if before is not None:
                    back = torch.argsort(torch.tensor(order)).tolist()
                    return before.reshape(loaded.permute(order).shape).permute(back).contiguous()
        for pieces in _PIECES:
            if loaded.numel() and loaded.numel() % pieces == 0:
                parts = [known.get(_values(each)) for each in loaded.reshape(pieces, -1)]
                there = [each.reshape(-1) for each in parts if each is not None]
                if len(there) == pieces:
                    joined_up: Tensor = torch.cat(there)
                    return joined_up.reshape(loaded.shape)
        return None


def _values(tensor: Tensor, dtype: torch.dtype | None = None) -> bytes:
    """A digest of the values in a dtype and their order, whatever the shape."""
    flat = tensor.reshape(-1).to(dtype or tensor.dtype).contiguous()
    return hashlib.blake2b(flat.view(torch.uint8).numpy().tobytes()).digest()
