"""Put a pair into words: one paragraph that an instructor can forward, and a few figures for a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

import numpy as np
from numpy.typing import NDArray

from harness.api import ClassEntry, Finding, PassagePlace
from harness.api.text import clean, moment_text
from harness_similarity.pairs import Alike, Equal, Pair, Usual
from harness_similarity.shared_code import Comparison, SharedCode

_NAME_CHARACTERS = 60
_PAIRS_FOR_THE_USUAL = 2000
_COMMON_START = 0.3
_ASK = "This shows neither who gave it to whom nor that it was not allowed: ask both how they trained."
_ASK_SOURCE = "This shows neither who gave it to whom nor that it was not allowed: ask both where the code comes from."
_SAME_SOURCE = (
    "A common source explains common code as well: an example from the lectures, a published implementation, a "
    "tutorial, an assistant that writes code, or work that was meant to be done together."
)
_SAME_START = (
    "One may be a copy of the other, trained further, rounded or pruned. But two students who begin with the same "
    "initial weights, such as a handed-out network or the seed in a handed-out notebook, and train on their own look "
    "like this too."
)
_REORDERED = (
    "Training does not change the order of channels, so the same start does not explain this; a program that reorders "
    "them does, or a common source that was reordered."
)
_CUT_OUT = "Two who prune the same handed-out network look like this too."
_NOT_TRAINED = (
    "Parts that nobody trained can explain equal tensors: layers of a handed-out network, layers frozen at the seed of "
    "a handed-out notebook, or a table that code computes, such as position encodings. Trained tensors are never equal "
    "by chance."
)
_SAME_RUN = (
    "A handed-out network that was not trained, or the same program run twice with the same seed on the same kind of "
    "machine, can explain equal numbers; training on one's own cannot."
)


def finding(
    pair: tuple[ClassEntry, ClassEntry],
    equal: Equal | None,
    alike: Alike | None,
    usual: Usual | None,
    agreements: Agreements,
    *,
    code: SharedCode | None = None,
) -> Finding:
    """One pair that stands out."""
    names = pair[0].submission, pair[1].submission
    first = alike.first if alike else names[0]
    one, other = (_quoted(name) for name in sorted(names, key=lambda name: name != first))
    share = agreements.share(names)
    weights = equal is not None or alike is not None
    parts = [_equal_words(one, other, equal) if equal else "", _alike_words(one, other, alike, usual) if alike else ""]
    parts += [_source_words(names, code)] if code else []
    if share is not None:
        usually = f" (median of all pairs: {100 * agreements.median:.1f} %)" if agreements.median is not None else ""
        parts.append(f"They put {100 * share:.1f} % of the graded images into the same class{usually}.")
    parts += [_handed_in(*pair), _explanation(equal, alike) if weights else "", _SAME_SOURCE if code else ""]
    parts.append(_ASK if weights else _ASK_SOURCE)
    evidence: dict[str, float | str] = {"found": _kind(equal, alike, code)}
    if alike:
        evidence["resemblance"] = round(alike.resemblance, 4)
        evidence["moved channels"] = round(alike.match.moved, 4)
    if equal:
        evidence["equal tensors"] = f"{equal.tensors} of {equal.of}"
    if share is not None:
        evidence["same predictions"] = round(share, 4)
    if code:
        evidence["common code"] = round(code.share, 4)
    passages = code.passages if code else ()
    shares = (equal.elements if equal else 0, alike.resemblance if alike else 0, code.share if code else 0)
    return Finding(
        submissions=names,
        evidence=evidence,
        paragraph=" ".join(filter(None, parts)),
        passages=passages,
        strength=min(1, max(shares)),
    )


@dataclass(frozen=True)
class Agreements:
    """How often two submissions put an image into the same class."""

    predictions: Mapping[str, NDArray[np.int64]]
    median: float | None
    """Of the pairs of the class; None where there are too few to speak of."""

    @classmethod
    def of(cls, entries: Sequence[ClassEntry]) -> Agreements:
        known = {each.submission: np.asarray(each.predictions) for each in entries if each.predictions}
        some = islice(combinations(known.values(), 2), _PAIRS_FOR_THE_USUAL)
        shares = [float(np.mean(one == other)) for one, other in some if len(one) == len(other)]
        return cls(known, float(np.median(shares)) if len(shares) > 2 else None)

    def share(self, pair: Pair) -> float | None:
        """None where they were not asked about the same images."""
        one, other = (self.predictions.get(name) for name in pair)
        if one is None or other is None or len(one) != len(other):
            return None
        return float(np.mean(one == other))


def note(usual: Usual) -> str:
    """What is usual among the submissions of one architecture."""
    names = {name for pair in usual.pairs for name in pair}
    words = f"{len(names)} submissions with common layers, {len(usual.pairs):,} pairs: "
    if usual.median > _COMMON_START:
        words += (
            f"half of them resemble each other by {usual.median:.2f} or more, so they probably began with the same "
            "weights; "
        )
    else:
        words += f"median resemblance {usual.median:.2f}; "
    most = "" if usual.most_unlisted is None else f", any other pair has at most {usual.most_unlisted:.2f}"
    return f"{words}listed from {usual.listed_from:.2f}{most}"


def _quoted(name: str) -> str:
    return f"'{clean(name, _NAME_CHARACTERS)}'"


def _handed_in(one: ClassEntry, other: ClassEntry) -> str:
    if one.submitted_at is None or other.submitted_at is None:
        return ""
    moments = {one.submission: one.submitted_at, other.submission: other.submitted_at}
    return f"Handed in: {', '.join(f'{_quoted(name)} {moment_text(at)}' for name, at in moments.items())}."


def source_note(found: Comparison) -> Iterable[str]:
    """What was compared of the sources, and what else is usual."""
    if found.compared < 2:
        return
    words = f"functions and classes of {found.compared} submissions were compared; "
    yield f"{words}a pair that is not listed has at most {100 * found.most_unlisted:.0f} % in common"
    if found.common:
        yield f"{found.common} passages that more than half of the class has were left out: idioms, or handed out"


def _source_words(names: tuple[str, str], code: SharedCode) -> str:
    one, other = (_quoted(name) for name in names)
    words = (
        f"{one} and {other} have {100 * code.share:.0f} % of the smaller one's functions and classes in common: names, "
        "numbers, texts, comments and layout aside, and without what was handed out or what more than half of the "
        "class has; passages that few have count more."
    )
    longest = code.passages[0]
    count = "1 passage" if code.count == 1 else f"{code.count} passages, the longest"
    return f"{words} It is {count} in {_place(longest.one)} of {one} and in {_place(longest.other)} of {other}."


def _place(place: PassagePlace) -> str:
    file = clean(place.file, _NAME_CHARACTERS)
    if place.first_line == place.last_line:
        return f"{file} line {place.first_line}"
    return f"{file} lines {place.first_line} to {place.last_line}"


def _kind(equal: Equal | None, alike: Alike | None, code: SharedCode | None) -> str:
    if equal is None and alike is None:
        return "code"
    return f"{_kind_of_weights(equal, alike)}, code" if code else _kind_of_weights(equal, alike)


def _kind_of_weights(equal: Equal | None, alike: Alike | None) -> str:
    if equal and equal.file:
        return "same file"
    if equal and equal.tensors == equal.of:
        return "same numbers"
    return alike.how if alike else "shared tensors"


def _equal_words(one: str, other: str, equal: Equal) -> str:
    if equal.file:
        return f"{one} and {other} handed in the very same weights file."
    if equal.tensors == equal.of:
        return f"{one} and {other} handed in different files with exactly the same numbers in all {equal.of} tensors."
    return (
        f"{one} and {other} have exactly the same numbers in {equal.tensors} of {equal.of} tensors, "
        f"{100 * equal.elements:.0f} % of all."
    )


def _alike_words(one: str, other: str, alike: Alike, usual: Usual | None) -> str:
    layers = alike.match.layers
    match alike.how:
        case "in place":
            how = f"The weights of {one} and {other} resemble each other by {alike.resemblance:.2f} as they stand"
        case "reordered":
            how = (
                f"With its channels in another order, {one} resembles {other} by {alike.resemblance:.2f}, in the "
                f"{len(layers)} layers by {min(layers):.2f} to {max(layers):.2f}; {100 * alike.match.moved:.0f} % of "
                "the channels stand elsewhere"
            )
        case "cut out":
            how = (
                f"{one} has fewer channels than {other}, and its layers resemble the best part of the other's by "
                f"{alike.resemblance:.2f} (from {min(layers):.2f} to {max(layers):.2f})"
            )
    scale = "1 is equal up to the scales of channels, 0 is chance"
    if usual is None or usual.most_unlisted is None:
        return f"{how} ({scale})."
    rest = usual.most_unlisted
    return f"{how} ({scale}; the other pairs with such layers in this class reach {rest:.2f})."


def _explanation(equal: Equal | None, alike: Alike | None) -> str:
    if equal and (equal.file or equal.tensors == equal.of):
        return _SAME_RUN
    if alike is None:
        return _NOT_TRAINED
    if equal and alike.how == "in place":
        return f"{_SAME_START} {_NOT_TRAINED}"
    return {"in place": _SAME_START, "reordered": _REORDERED, "cut out": _CUT_OUT}[alike.how]
