"""Fit what a weights file holds to a built network: by names, else by the network's own way of loading it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from harness.errors import SubmissionError
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
    except SubmissionError as mismatch:
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
    mismatch: SubmissionError | None,
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
    by_size: dict[int, list[Tensor]] = {}
    for each in sent.values():
        by_size.setdefault(each.numel(), []).append(each)
    for name, each in answer.tensors.items():
        if name not in built.state and name not in sent:
            raise SubmissionError(
                "rejected", f"loading the weights file gives the network {name!r}, which it is not built with", _CONVERT
            )
        own = _in_file(name, each, sent, by_size)
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


def _in_file(name: str, loaded: Tensor, sent: Weights, by_size: Mapping[int, list[Tensor]]) -> Tensor | None:
    """The tensor of the file that was loaded, in the shape it has now; None where there is none with these values.

    It may have been reshaped, its dimensions may have been exchanged, and it may be a part of a larger tensor or
    several put together, as attention's query, key and value are.
    """
    if name in sent and _same(sent[name], loaded):
        return sent[name].reshape(loaded.shape)
    for each in by_size.get(loaded.numel(), ()):
        if _same(each, loaded):
            return each.reshape(loaded.shape)
        if 2 <= each.dim() <= _MOST_DIMENSIONS:
            for order in itertools.permutations(range(each.dim())):
                turned = each.permute(order)
                if turned.shape == loaded.shape and _same(turned, loaded):
                    return turned.contiguous()
    return _part_or_whole(loaded, by_size)


def _part_or_whole(loaded: Tensor, by_size: Mapping[int, list[Tensor]]) -> Tensor | None:
    if not loaded.dim() or loaded.numel() < 2:
        return None
    for size, several in by_size.items():
        if size > loaded.numel() and size % loaded.numel() == 0:
            for part in (part for each in several for part in each.reshape(-1, loaded.numel())):
                if _same(part, loaded):
                    return torch.clone(part.reshape(loaded.shape))
        elif size and size < loaded.numel() and loaded.numel() % size == 0:
            found = [next((each for each in several if _same(each, part)), None) for part in loaded.reshape(-1, size)]
            parts = [each for each in found if each is not None]
            if len(parts) == len(found):
                whole: Tensor = torch.cat([each.reshape(-1) for each in parts])
                return whole.reshape(loaded.shape)
    return None


def _same(stored: Tensor, loaded: Tensor) -> bool:
    """Equal in the precision of what was loaded, whatever the shapes."""
    return stored.numel() == loaded.numel() and torch.equal(stored.reshape(-1).to(loaded.dtype), loaded.reshape(-1))
