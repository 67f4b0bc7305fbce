"""Decode a network saved in several files with an index, as Hugging Face's libraries write them.

The index is JSON: `weight_map` names the file of each tensor. It stands for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from harness.api import RawWeights, SubmissionError, WeightFormat
from harness.api.worker import shards_of

_HINT = (
    "hand in all files beside their index, or save one file: safetensors.torch.save_file(model.state_dict(), "
    "'model.safetensors')"
)


class Sharded:
    """`model.safetensors.index.json` or `pytorch_model.bin.index.json`, with the files that it names beside it."""

    name = "shards"

    def __init__(self, formats: Sequence[WeightFormat]) -> None:
        self._formats = formats

    def recognises(self, file: BinaryIO) -> bool:
        return bool(shards_of(file))

    def decode(self, path: Path) -> RawWeights:
        """The tensors of all files that the index names."""
        with path.open("rb") as file:
            names = shards_of(file)
        content: dict[str, Any] = {}
        notes = [f"{len(names)} files were put together by {path.name}"]
        for name in names:
            shard = path.parent / name
            if not shard.is_file():
                raise SubmissionError.rejected(f"{path.name} names {name}, which was not handed in", _HINT)
            read = self._read(shard)
            held = read.content
            if not isinstance(held, Mapping):
                raise SubmissionError.rejected(f"{name} holds a {type(held).__name__}, not a part of a network", _HINT)
            twice = next((each for each in held if each in content), None)
            if twice is not None:
                raise SubmissionError.rejected(f"{str(twice)!r} is in two of the files that {path.name} names", _HINT)
            content |= held
            notes += read.notes
        return RawWeights(content, notes=tuple(notes))

    def _read(self, shard: Path) -> RawWeights:
        with shard.open("rb") as file:
            chosen = next((each for each in self._formats if each.recognises(file)), None)
        if chosen is None:
            raise SubmissionError.rejected(f"{shard.name} is not a weights file of any known format", _HINT)
        read = chosen.decode(shard)
        return read if isinstance(read, RawWeights) else RawWeights(read)
