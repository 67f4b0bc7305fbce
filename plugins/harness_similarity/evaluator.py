"""Find submissions of a class that may be copies of each other.

Compares the weights themselves: equal files, equal tensors, resemblance as they stand and after their channels were put
in the best order, whatever the layers are called and however channels are scaled. Beside them it compares the functions
and classes of the sources, whatever names, numbers and comments are in them. It is a list for review, with its
evidence: `docs/similarity.md` says how it was calibrated, what else looks like a copy, and what gets past it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Self

from pydantic import Field, model_validator

from harness.api import ClassComparison, ClassEntry, ClassEvaluator, Options, PositiveInt, hookimpl
from harness_similarity.fingerprints import Winnow
from harness_similarity.layers import network
from harness_similarity.matching import Matcher
from harness_similarity.pairs import Alike, Equal, Usual, alike, equals, reordered
from harness_similarity.shared_code import Comparison, SharedCode, shared_code
from harness_similarity.wording import Agreements, finding, note, source_note

_MAX_NOTES = 10
"""Architectures of which it is said what is usual, those of most pairs."""


class SimilarityOptions(Options):
    """`[class_evaluators.similarity]`."""

    resemblance: Annotated[float, Field(ge=0.2, lt=1)] = 0.3
    """Pairs that resemble each other this much are listed (0: chance, 1: equal); in a class whose pairs all resemble
    each other, only those that stand out."""
    most: PositiveInt = 100
    """Pairs that are listed at most, the most alike first."""
    shared_source: Annotated[float, Field(ge=0.1, le=1)] = 0.4
    """Pairs are listed that have this share of the smaller one's functions and classes in common, without what was
    handed out; what few have counts more."""
    noise_tokens: Annotated[int, Field(ge=5, le=200)] = 20
    """Common runs of fewer tokens than this are never found."""
    guarantee_tokens: Annotated[int, Field(ge=5, le=500)] = 32
    """Common runs of this many tokens are always found."""

    @model_validator(mode="after")
    def _noise_below_guarantee(self) -> Self:
        if self.noise_tokens > self.guarantee_tokens:
            raise ValueError(f"noise_tokens = {self.noise_tokens} is more than guarantee_tokens")
        return self


class Similarity:
    """Lists pairs of submissions whose weights or sources are alike, one paragraph each."""

    name = "similarity"
    Options = SimilarityOptions

    def evaluate_class(
        self, entries: Sequence[ClassEntry], options: SimilarityOptions, starter: Mapping[str, str]
    ) -> ClassComparison:
        weighed = [each for each in entries if each.file_digest]
        networks = {each.submission: network(each.submission, each.weights) for each in weighed}
        matcher = Matcher(options.resemblance / 2)
        same, common = equals(weighed)
        close, usual = alike(list(networks.values()), matcher, options.resemblance)
        code = _shared_code(entries, options, starter)
        pairs = sorted(
            same.keys() | close.keys() | code.pairs.keys(),
            key=lambda pair: (_unlikeness(same.get(pair), close.get(pair), code.pairs.get(pair)), pair),
        )
        agreements = Agreements.of(entries)
        by_name = {each.submission: each for each in entries}
        findings = []
        for pair in pairs[: options.most]:
            found = close.get(pair)
            if found is not None and found.how == "in place":
                found = reordered(networks[pair[0]], networks[pair[1]], matcher, found)
            around = next((each for each in usual if pair in each.pairs), None)
            both = by_name[pair[0]], by_name[pair[1]]
            findings.append(finding(both, same.get(pair), found, around, agreements, code=code.pairs.get(pair)))
        unlisted = len(pairs) - len(findings)
        notes = (*_compared(len(weighed), usual), *source_note(code), *_left_out(common, unlisted))
        return ClassComparison(findings=tuple(findings), notes=notes)


def _shared_code(entries: Sequence[ClassEntry], options: SimilarityOptions, starter: Mapping[str, str]) -> Comparison:
    winnow = Winnow(options.noise_tokens, options.guarantee_tokens)
    sources = {each.submission: each.sources for each in entries if each.sources}
    return shared_code(sources, starter, winnow, options.shared_source, options.most)


def _unlikeness(equal: Equal | None, alike: Alike | None, code: SharedCode | None) -> tuple[bool, float, float]:
    """The very same file first, then by the largest of the shares, then by their sum."""
    shares = (equal.elements if equal else 0.0, alike.resemblance if alike else 0.0, code.share if code else 0.0)
    return not (equal and equal.file), -max(shares), -sum(shares)


def _compared(entries: int, usual: Sequence[Usual]) -> Iterable[str]:
    compared = sum(len(each.pairs) for each in usual)
    yield f"{entries} submissions; {compared:,} of their pairs have layers of the same shapes and were compared"
    large = sorted((each for each in usual if len(each.pairs) > 1), key=lambda each: -len(each.pairs))
    yield from map(note, large[:_MAX_NOTES])


def _left_out(common: int, unlisted: int) -> Iterable[str]:
    if common:
        yield f"{common} tensors that more than half of the class has in common were handed out, and are no evidence"
    if unlisted:
        yield f"{unlisted} more pairs stand out: `most` lists them, and `resemblance` asks for more"


@hookimpl
def harness_class_evaluators() -> Iterable[ClassEvaluator[SimilarityOptions]]:
    return [Similarity()]
