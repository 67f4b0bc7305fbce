"""Judge how late a hand-in is: by its time, by a late mark without one, and by the due date that holds for it.

A day of lateness ends when the clocks of the assignment's time zone show the due time again. So the day on which they
are set forward has 23 hours and the one on which they are set back 25, and nobody has to know which.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import count

from harness.values.late_policy import LatePolicy
from harness.values.moments import latest_at, moment_text
from harness.values.results import Result, TimeSource

_SOURCES: dict[TimeSource, str] = {
    "times": "",
    "platform": " says the learning platform,",
    "submission.toml": " says submission.toml,",
    "files": " says its newest file,",
}


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late a hand-in is, and why."""

    days: int | None
    """Those that count, 0 when in time; None: nobody knows."""
    reason: str | None = None
    """None where there is nothing to say: it came in time."""
    marked: bool = False
    """Late as its learning platform says, by an unknown amount."""


def lateness(policy: LatePolicy | None, result: Result, extended: datetime | None = None) -> Lateness:
    """How late it is.

    Args:
        extended: the due date of this student or team, where it is another than the assignment's.
    """
    policy = policy or LatePolicy()
    due, at = extended or policy.due_at, result.submitted_at
    if at is None or due is None:
        return _untimed(policy, result, due, extended)
    zone = policy.zone or due.tzinfo or UTC
    if at <= due:
        return Lateness(0)
    source = _SOURCES[result.time_source] if result.time_source else ""
    when = f"handed in {moment_text(at, zone)},{source} due {moment_text(due, zone)}{' (extended)' if extended else ''}"
    if at - due <= timedelta(minutes=policy.grace_minutes):
        return Lateness(0, f"{when}: within {policy.grace_minutes:g} minutes of grace")
    days = _days_begun(due, at, zone)
    return Lateness(days, f"{when}: {_counted(days)} late")


def _days_begun(due: datetime, at: datetime, zone: tzinfo) -> int:
    """The least n for which it came no later than the due time n days later, by the clocks of `zone`."""
    clock = due.astimezone(zone).replace(tzinfo=None)
    dates = at.astimezone(zone).date() - clock.date()
    return next(n for n in count(max(1, dates.days - 1)) if at <= latest_at(clock + timedelta(days=n), zone))


def _untimed(policy: LatePolicy, result: Result, due: datetime | None, extended: datetime | None) -> Lateness:
    """What is known without a time or without a due date: what the learning platform marks, if it does."""
    if not result.late_mark:
        unknown = due is not None and result.late_mark is None
        return Lateness(None, "when it was handed in is not known: --times says it" if unknown else None)
    mark = "late, says the learning platform, by how much is not known"
    if extended is not None:
        mark = f"{mark}, nor whether it was in time for {moment_text(extended, policy.zone or UTC)}, when it was due"
    if policy.late_unknown == "ask" or extended is not None:
        return Lateness(None, f"{mark}: nothing is taken off until --times says when it was handed in", marked=True)
    if policy.late_unknown == "none":
        return Lateness(None, f"{mark}: costs nothing here", marked=True)
    return Lateness(policy.late_unknown, f"{mark}: counts as {_counted(policy.late_unknown)}", marked=True)


def _counted(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"
