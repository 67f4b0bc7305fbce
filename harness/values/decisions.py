"""Define what an instructor decides after grading: overrides, and when a board is frozen or published. Nothing is
deleted; a further decision undoes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, Field, FiniteFloat

from harness.values.base import Value
from harness.vocabulary import Status

EventKind = Literal["frozen", "thawed", "published", "withdrawn"]


class Override(Value):
    """An instructor's word against the harness's, about everything a submission has handed in or will."""

    at: AwareDatetime
    """When."""
    author: str
    """Who."""
    reason: str
    """Why."""
    status: Status | None = None
    """Instead of the status that was found."""
    score: FiniteFloat | None = None
    """Instead of the sum of all points."""
    checks: Mapping[str, Literal["passed", "failed"]] = Field(default_factory=dict)
    """Check -> the verdict instead of the one that was found."""

    @property
    def undoes(self) -> bool:
        """Whether it only takes earlier ones back."""
        return self.status is None and self.score is None and not self.checks


class Event(Value):
    """A board was frozen, published, or the reverse."""

    at: AwareDatetime
    """When."""
    author: str
    """Who."""
    kind: EventKind
    """What happened."""
    moment: AwareDatetime | None = None
    """Of a frozen board: attempts graded later are not on it."""


class BoardState(Value):
    """What follows from all events."""

    frozen_at: datetime | None = None
    """Attempts graded later are not on the board; None: it is not frozen."""
    published: bool = False
    """Whether private figures and ranks are shown."""


def in_force(overrides: Iterable[tuple[str, Override]]) -> Mapping[str, Override]:
    """Submission id -> its newest override, less those that were undone.

    Args:
        overrides: (submission id, override), oldest first.
    """
    return {submission: each for submission, each in dict(overrides).items() if not each.undoes}


def state_after(events: Iterable[Event]) -> BoardState:
    """The board's state, from its events in their order."""
    state = BoardState()
    for event in events:
        match event.kind:
            case "frozen":
                state = state.model_copy(update={"frozen_at": event.moment})
            case "thawed":
                state = state.model_copy(update={"frozen_at": None})
            case "published" | "withdrawn":
                state = state.model_copy(update={"published": event.kind == "published"})
    return state
