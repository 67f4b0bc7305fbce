"""Define what comparing a class works on, and what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import (
    FiniteFloat,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

from harness.values.base import Value


@dataclass(frozen=True, slots=True, eq=False)
class ClassEntry:
    """What grading kept of one submission for those who compare a class."""

    submission: str
    weights: Mapping[str, Floats]
    """What was sent into the network, floating-point tensors only, in the order of its state; 8 significant bits."""
    digests: Mapping[str, str]
    """Of the exact values of each of these tensors; constant ones, such as zeros, have none."""
    file_digest: str
    """Of the weights file as handed in."""
    predictions: tuple[int, ...] | None
    submitted_at: datetime | None


class Finding(Value):
    """Something about several submissions that a person should look at: evidence, never a verdict."""

    submissions: tuple[str, ...]
    """Their ids."""
    evidence: Mapping[str, FiniteFloat | str]
    """A few figures by name; shares of 1 are numbers."""
    paragraph: str
    """To be forwarded as it is: what was found, what may explain it, what it does not show."""


class ClassComparison(Value):
    """What one class evaluator found out about a class."""

    findings: tuple[Finding, ...] = ()
    """The most striking first."""
    notes: tuple[str, ...] = ()
    """What was compared with what, and what could not be."""
