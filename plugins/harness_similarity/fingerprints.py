"""Choose fingerprints of token sequences by winnowing (Schleimer, Wilkerson, Aiken 2003, doi:10.1145/872757.872770).

Of the hashes of all runs of k tokens, the smallest of every w = t - k + 1 neighbours is a fingerprint. Two sequences
that have t tokens in a row in common then have a common fingerprint, wherever it stands; runs shorter than k are noise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from harness_similarity.tokens import Definition, definitions

Hashes = NDArray[np.uint64]

NOTHING = np.uint64(0)
"""Stands between definitions, and where code was left out: equal to nothing."""
_BASE, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_PLACES = 8
"""Of one run of tokens in another submission that are tried: code may repeat itself endlessly."""


@dataclass(frozen=True, slots=True)
class Winnow:
    """Both thresholds, in tokens."""

    noise: int
    """k: runs that are shorter are never found."""
    guarantee: int
    """t: runs that are as long are always found; at least `noise`."""

    def chosen(self, hashes: Hashes) -> Hashes:
        """Places of the fingerprints among the hashes of one sequence, in their order."""
        if not len(hashes):
            return np.zeros(0, np.uint64)
        window = min(self.guarantee - self.noise + 1, len(hashes))
        # Of equal ones the last, as the paper has it.
        last = np.lib.stride_tricks.sliding_window_view(hashes, window)[:, ::-1].argmin(axis=1)
        return np.unique(np.arange(len(last)) + window - 1 - last).astype(np.uint64)


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of tokens that two submissions have in common: places of hashes, and how many follow each other."""

    one: int
    other: int
    length: int


@dataclass(frozen=True, eq=False)
class Code:
    """One submission's definitions as hashes of runs of k tokens."""

    hashes: Hashes
    """[n], in the order of the code; `NOTHING` after each definition."""
    prints: Hashes
    """Those that are fingerprints, each once, sorted."""
    files: tuple[str, ...]
    """Of the definitions."""
    places: NDArray[np.int32]
    """[n, 3]: each run's definition, and its first and last line."""

    @cached_property
    def where(self) -> Mapping[int, list[int]]:
        """Hash -> some places."""
        found: dict[int, list[int]] = {}
        for place, value in enumerate(self.hashes.tolist()):
            if value and len(known := found.setdefault(value, [])) < _PLACES:
                known.append(place)
        return found

    def without(self, left_out: Hashes) -> Code:
        """The same where these hashes count as nothing."""
        hashes = np.where(np.isin(self.hashes, left_out), NOTHING, self.hashes)
        return Code(hashes, np.setdiff1d(self.prints, left_out), self.files, self.places)


def code(sources: Mapping[str, str], winnow: Winnow) -> Code:
    """The fingerprints of a submission's sources, by file."""
    found = [each for each in definitions(sources) if len(each.tokens) >= winnow.noise]
    hashed = [_hashes(each.tokens, winnow.noise) for each in found]
    prints = [each[winnow.chosen(each)] for each in hashed]
    parted = [np.append(each, NOTHING) for each in hashed]
    places = [_places(number, each, winnow.noise) for number, each in enumerate(found)]
    return Code(
        np.concatenate([np.zeros(0, np.uint64), *parted]),
        np.unique(np.concatenate([np.zeros(0, np.uint64), *prints])),
        tuple(each.file for each in found),
        np.concatenate([np.zeros((0, 3), np.int32), *places]),
    )


def common_runs(one: Code, other: Code) -> Iterator[Run]:
    """What two submissions have in common, in the order of the first; of several places the longest."""
    left, right, at = one.hashes.tolist(), other.hashes.tolist(), 0
    while at < len(left):
        lengths = [(_length(left, right, at, place), -place) for place in other.where.get(left[at], ())]
        longest, place = max(lengths, default=(0, 0))
        if longest:
            yield Run(at, -place, longest)
        at += max(1, longest)


def _length(left: Sequence[int], right: Sequence[int], at: int, place: int) -> int:
    start = at
    while at < len(left) and place < len(right) and left[at] and left[at] == right[place]:
        at, place = at + 1, place + 1
    return at - start


def _hashes(tokens: Sequence[str], size: int) -> Hashes:
    """Of every run of `size` tokens: never `NOTHING`, the same on every machine."""
    numbers = np.array([_number(each) for each in tokens], dtype=np.uint64)
    count = len(numbers) - size + 1
    hashes = np.zeros(count, dtype=np.uint64)
    for offset in range(size):
        hashes = hashes * _BASE + numbers[offset : offset + count]
    hashes = (hashes ^ (hashes >> np.uint64(29))) * _MIX
    return np.maximum(hashes ^ (hashes >> np.uint64(32)), np.uint64(1))


@lru_cache(maxsize=1 << 16)
def _number(token: str) -> int:
    return int.from_bytes(hashlib.blake2b(token.encode("utf-8", "replace"), digest_size=8).digest(), "little")


def _places(number: int, definition: Definition, size: int) -> NDArray[np.int32]:
    """[n + 1, 3], the last for what parts definitions."""
    lines = np.array(definition.lines, dtype=np.int32)
    first = np.append(lines[: len(lines) - size + 1], lines[-1])
    last = np.append(lines[size - 1 :], lines[-1])
    return np.stack([np.full_like(first, number), first, last], axis=1)
