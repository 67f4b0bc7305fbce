"""Pick the pairs of a class that stand out: equal numbers, and resemblances beyond what class and chance explain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement, product
from typing import Literal

import numpy as np

from harness.api import ClassEntry
from harness_similarity.layers import Network, aligned, contained
from harness_similarity.matching import Match, Matcher, in_place

Pair = tuple[str, str]
"""Submission ids in their order."""
Shapes = tuple[tuple[int, ...], ...]
How = Literal["in place", "reordered", "cut out"]

_FEWEST_PAIRS = 10
"""Of one architecture, before the class itself says what is usual."""
_SPREADS = 6
_SPREAD = 1.4826
"""From a median absolute deviation to the standard deviation of a normal distribution."""
_CERTAIN = 0.998
"""A class that began with one handed-out network resembles itself; above this a pair is listed all the same."""
_CLEARLY = 0.1
"""Reordering channels must add this much to be what explains a resemblance."""


@dataclass(frozen=True, slots=True)
class Equal:
    """What two submissions have exactly in common."""

    file: bool
    tensors: int
    of: int
    """Tensors of the one that has fewer; constant ones are not counted."""
    elements: float
    """Share of that one's numbers that are in the common tensors."""


@dataclass(frozen=True, slots=True)
class Alike:
    """Two networks that resemble each other more than they should."""

    how: How
    match: Match
    first: str
    """The submission whose channels were looked for in the other; the one with fewer, where it has fewer."""

    @property
    def resemblance(self) -> float:
        """1: equal, 0: what chance gives."""
        return self.match.resemblance


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual among the pairs of one architecture."""

    pairs: frozenset[Pair]
    median: float
    listed_from: float
    most_unlisted: float | None
    """The largest resemblance of a pair that is not listed."""


def equals(entries: Sequence[ClassEntry]) -> tuple[dict[Pair, Equal], int]:
    """Pairs with the same file or equal tensors, and how many tensors were left out because most of the class has them.

    Handed-out parts that nobody trained are no evidence.
    """
    holders: dict[str, list[int]] = defaultdict(list)
    for place, entry in enumerate(entries):
        for digest in set(entry.digests.values()):
            holders[digest].append(place)
    most = max(4, len(entries) // 2)
    common = {digest for digest, places in holders.items() if len(places) > most}
    files: dict[str, list[int]] = defaultdict(list)
    for place, entry in enumerate(entries):
        files[entry.file_digest].append(place)
    together = [places for digest, places in holders.items() if digest not in common] + list(files.values())
    pairs = {pair for places in together for pair in combinations(places, 2)}
    return {
        _pair(entries[one], entries[other]): _equal(entries[one], entries[other], common)
        for one, other in sorted(pairs)
    }, len(common)


def alike(networks: Sequence[Network], matcher: Matcher, floor: float) -> tuple[dict[Pair, Alike], list[Usual]]:
    """Pairs that stand out, and what is usual for every two architectures that were compared."""
    groups: dict[Shapes, list[Network]] = defaultdict(list)
    for each in networks:
        if each.layers:
            groups[each.shapes].append(each)
    listed: dict[Pair, Alike] = {}
    usual: list[Usual] = []
    for one, other in combinations_with_replacement(groups, 2):
        found = _compared(groups[one], groups[other], matcher, floor)
        if found:
            usual.append(_usual(found, floor, same=one == other))
            listed |= {pair: each for pair, each in found.items() if each.resemblance >= usual[-1].listed_from}
    return listed, usual


def reordered(one: Network, other: Network, matcher: Matcher, placed: Alike) -> Alike:
    """`placed`, or what reordering the channels makes of it where that is clearly more."""
    match = matcher.match(one, other, aligned(one.shapes, other.shapes))
    better = match.resemblance > placed.resemblance + _CLEARLY
    return Alike("reordered", match, one.submission) if better else placed


def _equal(one: ClassEntry, other: ClassEntry, common: set[str]) -> Equal:
    fewer, more = sorted((one, other), key=lambda entry: len(entry.digests))
    known = set(more.digests.values()) - common
    sizes = {name: fewer.weights[name].size for name in fewer.digests}
    shared = [name for name, digest in fewer.digests.items() if digest in known]
    share = sum(sizes[name] for name in shared) / max(1, sum(sizes.values()))
    return Equal(one.file_digest == other.file_digest, len(shared), len(sizes), share)


def _compared(ones: Sequence[Network], others: Sequence[Network], matcher: Matcher, floor: float) -> dict[Pair, Alike]:
    """Every pair of two architectures (or of one) with its resemblance, whatever it is."""
    if cut_out := _cut_out(ones, others, matcher):
        return cut_out
    places = aligned(ones[0].shapes, others[0].shapes)
    if not places:
        return {}
    placed, found = in_place(ones, others, places), {}
    for row, column in _indices(ones, others):
        one, other = ones[row], others[column]
        each = Alike("in place", Match((float(placed[row, column]),), 0.0), one.submission)
        if each.resemblance < floor:
            match = matcher.match(one, other, places)
            each = Alike("reordered", match, one.submission) if match.resemblance > each.resemblance else each
        found[_pair(one, other)] = each
    return found


def _cut_out(ones: Sequence[Network], others: Sequence[Network], matcher: Matcher) -> dict[Pair, Alike]:
    """The same where one architecture is the other with fewer channels; nothing where it is not."""
    if contained(others[0].shapes, ones[0].shapes):
        ones, others = others, ones
    elif not contained(ones[0].shapes, others[0].shapes):
        return {}
    places = [(place, place) for place in range(len(ones[0].layers))]
    return {
        _pair(one, other): Alike("cut out", matcher.match(one, other, places), one.submission)
        for one, other in product(ones, others)
    }


def _pair(one: Network | ClassEntry, other: Network | ClassEntry) -> Pair:
    first, second = sorted((one.submission, other.submission))
    return first, second


def _indices(ones: Sequence[Network], others: Sequence[Network]) -> Iterator[tuple[int, int]]:
    if ones is others:
        return combinations(range(len(ones)), 2)
    return product(range(len(ones)), range(len(others)))


def _usual(found: Mapping[Pair, Alike], floor: float, *, same: bool) -> Usual:
    values = np.array([each.resemblance for each in found.values()])
    median = float(np.median(values))
    listed_from = floor
    if same and len(values) >= _FEWEST_PAIRS:
        # On the scale of what is missing to 1: 0.999 among pairs of 0.97 is as striking as 0.97 among those of 0.
        missing = np.log(np.maximum(1 - values, 1 - _CERTAIN))
        spread = _SPREAD * float(np.median(np.abs(missing - np.median(missing))))
        listed_from = max(floor, min(1 - float(np.exp(np.median(missing) - _SPREADS * spread)), _CERTAIN))
    unlisted = values[values < listed_from]
    return Usual(frozenset(found), median, listed_from, float(unlisted.max()) if len(unlisted) else None)
