"""Define what comparing a class works on, and what it finds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, FiniteFloat

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

from harness.values.base import Value
from harness.values.results import AssignmentInfo, compact


@dataclass(frozen=True, slots=True, eq=False)
class ClassEntry:
    """What grading kept of one submission for those who compare a class."""

    submission: str
    weights: Mapping[str, Floats]
    """What was sent into the network, floating-point tensors only, in the order of its state; 8 significant bits.
    Empty where none were kept."""
    digests: Mapping[str, str]
    """Of the exact values of each of these tensors; constant ones, such as zeros, have none."""
    file_digest: str
    """Of the weights file as handed in; empty where none were kept."""
    predictions: tuple[int, ...] | None
    submitted_at: datetime | None
    sources: Mapping[str, str] = field(default_factory=dict)
    """Text of what may hold code, by file, or by file and cell of a notebook; as it was handed in, never executed."""


class PassagePlace(Value):
    """Where a passage stands in one submission."""

    file: str
    """With the cell, in a notebook."""
    first_line: int
    """From 1, in that file or cell."""
    last_line: int
    """The last that belongs to it."""
    text: str
    """Its lines, or the first of many."""


class Passage(Value):
    """Code that two submissions have in common but for names, numbers, texts, comments and layout."""

    one: PassagePlace
    """In the first submission of the finding."""
    other: PassagePlace
    """In the second."""


class Finding(Value):
    """Something about several submissions that a person should look at: evidence, never a verdict."""

    submissions: tuple[str, ...]
    """Their ids."""
    evidence: Mapping[str, FiniteFloat | str]
    """A few figures by name; shares of 1 are numbers."""
    paragraph: str
    """To be forwarded as it is: what was found, what may explain it, what it does not show."""
    passages: tuple[Passage, ...] = ()
    """Code in common, the longest first."""
    strength: Annotated[float, Field(ge=0, le=1)] = 1
    """How much of them is alike, from 0 to 1: how thick a line a graph draws between them."""

    def cells(self, figures: Iterable[str]) -> list[str]:
        """What a table has of these figures."""
        values = (self.evidence.get(name, "") for name in figures)
        return [value if isinstance(value, str) else f"{100 * value:.1f} %" for value in values]


class ClassComparison(Value):
    """What one class evaluator found out about a class."""

    findings: tuple[Finding, ...] = ()
    """The most striking first."""
    notes: tuple[str, ...] = ()
    """What was compared with what, and what could not be."""

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of all figures, as a table's columns."""
        return tuple(dict.fromkeys(name for finding in self.findings for name in finding.evidence))


class ClassReport(Value):
    """What `harness similarity` tells. For the instructor only: it accuses by name."""

    schema_version: Literal[1] = 1
    """The version of this format."""
    assignment: AssignmentInfo
    """What was graded against."""
    compared: tuple[str, ...]
    """Submissions that were."""
    not_kept: tuple[str, ...]
    """Submissions that ran when they were graded, but whose weights were not kept."""
    sources_not_kept: tuple[str, ...] = ()
    """Submissions whose sources were not kept, as by an older version."""
    comparisons: Mapping[str, ClassComparison]
    """By class evaluator."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What could not be compared."""
        kinds = {"weights": self.not_kept, "sources": self.sources_not_kept}
        return tuple(f"{kind} not compared, none kept: {', '.join(names)}" for kind, names in kinds.items() if names)

    def to_json(self) -> str:
        """One compact JSON document in plain ASCII."""
        return compact(self.model_dump(mode="json"))
