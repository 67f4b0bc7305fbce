"""Define what lateness costs: a table of an assignment file."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from harness.values.base import PositiveInt, Value
from harness.values.moments import read_moment, zone_named


class LatePolicy(Value):
    """`[rubric.late]`: what a day of delay costs."""

    timezone: str | None = None
    """By whose clocks days count, such as `Asia/Taipei`; absent: those of `due`'s offset, else UTC."""
    due: str | None = None
    """ISO 8601; without an offset it is the time in `timezone`."""
    grace_minutes: Annotated[float, Field(ge=0)] = 0
    """Lateness up to this costs nothing."""
    percent_per_day: Annotated[float, Field(ge=0, le=100)] = 0
    """Share of the score lost per day that has begun: up to the same time on the next day of the calendar."""
    most_percent: Annotated[float, Field(ge=0, le=100)] = 100
    """The most that lateness costs, however long it is."""
    late_unknown: Literal["ask", "none"] | PositiveInt = "ask"
    """What becomes of a hand-in that the learning platform marks as late without saying when it came: `ask` takes
    nothing off until `--times` has the time, and says so; `none` costs nothing; a number of days costs as many."""

    @field_validator("timezone")
    @classmethod
    def _zone(cls, timezone: str | None) -> str | None:
        return None if timezone is None else zone_named(timezone).key

    @field_validator("due")
    @classmethod
    def _moment(cls, due: str | None, info: ValidationInfo) -> str | None:
        # Where the zone is a mistake of its own, that is told, and not what follows from it.
        name = info.data.get("timezone", "UTC")
        if due is not None:
            read_moment(due, None if name is None else zone_named(name))
        return due

    @field_validator("late_unknown", mode="before")
    @classmethod
    def _days(cls, late_unknown: object) -> object:
        days = isinstance(late_unknown, int) and not isinstance(late_unknown, bool) and late_unknown > 0
        if not days and late_unknown not in ("ask", "none"):
            raise ValueError("needs 'ask', 'none', or a number of days from 1")
        return late_unknown

    @property
    def zone(self) -> tzinfo | None:
        """By whose clocks days count; None where the file does not say."""
        if self.timezone is not None:
            return zone_named(self.timezone)
        return None if self.due is None else datetime.fromisoformat(self.due).tzinfo

    @property
    def due_at(self) -> datetime | None:
        """`due` as a moment."""
        return None if self.due is None else read_moment(self.due, self.zone)
