"""Pick the pairs of a class whose sources have more in common than the class shares anyway."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.api import Passage, PassagePlace
from harness_similarity.fingerprints import Code, Hashes, Winnow, code, common_runs
from harness_similarity.pairs import Pair

_ROWS = 256
"""Of the table of all pairs that are held at once."""
_FEWEST_HOLDERS = 4
"""What so many have may still be evidence, in however small a class."""
_ENOUGH = 3
"""Guarantee thresholds that a pair must have in common: a short function is soon written twice."""
_PASSAGES = 5
_PASSAGE_LINES = 40
_LINE_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class SharedCode:
    """What two submissions' sources have in common."""

    share: float
    """Of the smaller one's code, less what was handed out, rare passages counting more than common ones."""
    tokens: int
    passages: tuple[Passage, ...]
    """The longest."""
    count: int
    """Of all passages."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing the sources of a class found."""

    pairs: Mapping[Pair, SharedCode]
    compared: int
    common: int
    """Fingerprints that were left out because half of the class has them."""
    most_unlisted: float
    """The largest share of a pair that is not listed."""


def shared_code(
    sources: Mapping[str, Mapping[str, str]], starter: Mapping[str, str], winnow: Winnow, floor: float, most: int
) -> Comparison:
    """The pairs of a class that share more than `floor` of their own code, the largest shares first, `most` at most.

    Args:
        sources: submission -> file -> text.
        starter: what all were given, by file; never evidence.
    """
    handed_out = code(starter, winnow).hashes
    whole = {name: code(each, winnow).without(handed_out) for name, each in sorted(sources.items())}
    whole = {name: each for name, each in whole.items() if len(each.prints)}
    weights, common = _weights(list(whole.values()))
    class_ = _Class(sources, {name: each.without(common) for name, each in whole.items()}, winnow)
    striking: list[tuple[Pair, float]] = []
    usual = 0.0
    for pair, share in class_.shares(weights):
        if share >= floor:
            striking.append((pair, share))
        else:
            usual = max(usual, share)
    listed: dict[Pair, SharedCode] = {}
    for pair, share in sorted(striking, key=lambda each: (-each[1], each[0])):
        if len(listed) >= most:
            break
        found = class_.found(pair, share)
        if found.tokens >= _ENOUGH * winnow.guarantee:
            listed[pair] = found
    return Comparison(listed, len(class_.codes), len(common), usual)


def _weights(codes: Sequence[Code]) -> tuple[dict[int, float], Hashes]:
    """How much each fingerprint says, from 1 (two have it) to 0 (half of the class has it), and those that say nothing.

    Like the inverse document frequency of Spärck Jones (1972): what many have is an idiom, or came from one source.
    """
    if not codes:
        return {}, np.zeros(0, np.uint64)
    prints, holders = np.unique(np.concatenate([each.prints for each in codes]), return_counts=True)
    too_many = max(_FEWEST_HOLDERS, len(codes) // 2) + 1
    kept = holders < too_many
    weights = np.minimum(1.0, np.log(too_many / holders) / np.log(too_many / 2))
    return dict(zip(prints[kept].tolist(), weights[kept].tolist(), strict=True)), prints[~kept]


@dataclass(frozen=True)
class _Class:
    """The sources of a class, and what is left of them as evidence."""

    sources: Mapping[str, Mapping[str, str]]
    codes: Mapping[str, Code]
    """By submission, in their order."""
    winnow: Winnow

    def shares(self, weights: Mapping[int, float]) -> Iterator[tuple[Pair, float]]:
        """Every two that have a fingerprint in common, with the share of the smaller one's that they have in common.

        An inverted index as a sparse matrix: the product of the class with itself goes through what is shared alone.
        """
        from scipy.sparse import csr_array

        if not weights:
            return
        names, known = list(self.codes), np.array(sorted(weights), dtype=np.uint64)
        said = np.array([weights[each] for each in known.tolist()])
        columns = [np.searchsorted(known, each.prints) for each in self.codes.values()]
        ends = np.cumsum([0, *(len(each) for each in columns)])
        flat = np.concatenate(columns)
        holds = csr_array((np.ones(len(flat)), flat, ends), shape=(len(names), len(known)))
        weighted = csr_array((said[flat], flat, ends), shape=holds.shape)
        own = holds @ said
        for start in range(0, len(names), _ROWS):
            table = (weighted[start : start + _ROWS] @ holds.T).tocoo()
            rows, others = table.row + start, table.col
            for row, other, value in zip(rows.tolist(), others.tolist(), table.data.tolist(), strict=True):
                if other > row:
                    yield (names[row], names[other]), value / min(own[row], own[other])

    def found(self, pair: Pair, share: float) -> SharedCode:
        """What two have in common, in runs that are no shorter than what is always found."""
        one, other = (self.codes[name] for name in pair)
        more = self.winnow.noise - 1
        runs = [run for run in common_runs(one, other) if run.length + more >= self.winnow.guarantee]
        longest = sorted(runs, key=lambda run: (-run.length, run.one))[:_PASSAGES]
        passages = tuple(
            Passage(
                one=_place(one, run.one, run.length, self.sources[pair[0]]),
                other=_place(other, run.other, run.length, self.sources[pair[1]]),
            )
            for run in longest
        )
        return SharedCode(share, sum(run.length + more for run in runs), passages, len(runs))


def _place(code: Code, start: int, length: int, texts: Mapping[str, str]) -> PassagePlace:
    definition, first, _ = code.places[start].tolist()
    last = int(code.places[start + length - 1, 2])
    file = code.files[definition]
    lines = texts[file].split("\n")[first - 1 : min(last, first - 1 + _PASSAGE_LINES)]
    text = "\n".join(each[:_LINE_CHARACTERS] for each in lines)
    return PassagePlace(file=file, first_line=first, last_line=last, text=text)
