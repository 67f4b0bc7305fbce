"""Define what an instructor decides beside grading: overrides, more time, who is excused or removed, answers to regrade
requests, and when a board is frozen or published. Nothing is deleted; a further decision undoes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from typing import Literal

from pydantic import AwareDatetime, Field, FiniteFloat

from harness.values.base import Value
from harness.values.moments import moment_text
from harness.vocabulary import Status

EventKind = Literal["frozen", "thawed", "published", "withdrawn"]
RulingKind = Literal["extended", "excused", "removed"]


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


class Ruling(Value):
    """What an instructor decided about someone beside points."""

    at: AwareDatetime
    """When."""
    author: str
    """Who."""
    reason: str
    """Why."""
    kind: RulingKind
    """More time, not counted at all, or no longer in the class."""
    until: AwareDatetime | None = None
    """Of more time: the due date that holds."""
    undone: bool = False
    """Whether it takes an earlier one of its kind back."""

    def what(self, zone: tzinfo | None = None) -> str:
        """'extended until 2026-01-31 23:59 UTC+08:00', 'no longer excused'."""
        until = f" until {moment_text(self.until, zone)}" if self.until else ""
        return f"no longer {self.kind}" if self.undone else f"{self.kind}{until}"

    def said(self, zone: tzinfo | None = None) -> str:
        """The decision in a sentence, for the instructor; without a zone, by those its moments are told by."""
        return f"{self.what(zone)} by {self.author} on {moment_text(self.at, zone)}: {self.reason}"


class Request(Value):
    """A step of a regrade request: someone asked, or it was answered."""

    at: AwareDatetime
    """When."""
    author: str
    """Who."""
    text: str
    """What was asked, or the answer."""
    answers: bool
    """Whether it is the answer to what was asked before."""


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


def rulings_in_force(rulings: Iterable[tuple[str, Ruling]], kind: RulingKind) -> Mapping[str, Ruling]:
    """Who -> the newest ruling of this kind, less those that were undone.

    Args:
        rulings: (id of a submission, a person or a team, ruling), oldest first.
    """
    newest = {who: each for who, each in rulings if each.kind == kind}
    return {who: each for who, each in newest.items() if not each.undone}


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


def thread(requests: Iterable[tuple[str, Request]], who: str) -> list[tuple[Request, Request | None]]:
    """What someone asked, oldest first, each with its answer; an answer is to the newest request before it.

    Args:
        requests: (id, step) of everyone, oldest first.
    """
    found: list[tuple[Request, Request | None]] = []
    for name, each in requests:
        if name != who:
            continue
        if not each.answers:
            found.append((each, None))
        elif found:
            found[-1] = (found[-1][0], each)
    return found
