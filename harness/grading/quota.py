"""Grade a class with so many attempts a day: `[submission] attempts_per_day`."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo

from harness.grading.run import Run
from harness.values.results import Attempt
from harness.vocabulary import Status

_FREE: frozenset[Status] = frozenset({"rejected", "harness_error"})
"""What tells nothing about the network uses up no attempt."""


@dataclass
class LimitedRun(Run):
    """A run that leaves for later what is more than the day's attempts of one student or team."""

    members: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Submission id -> all ids of its team, where there are teams."""
    held: dict[str, datetime] = field(default_factory=dict)
    """Submission -> when it may be graded."""
    _granted: dict[str, set[str]] = field(default_factory=dict)
    """Submission -> digests that are being graded."""
    _deciding: threading.Lock = field(default_factory=threading.Lock)

    def waits(self, submission: str, digest: str) -> bool:
        """Whether the quota does not allow it now."""
        per_day = self.assignment.rules.submission.attempts_per_day
        if per_day is None:
            return False
        with self._deciding:  # teammates' hand-ins may be read at the same time
            ids = self.members.get(submission, frozenset({submission}))
            attempts = [each for name in ids for each in self.store.history(self.assignment.id, name)]
            now, zone = datetime.now(UTC), self.assignment.rules.zone
            used = used_on(attempts, now, zone).union(*(self._granted.get(name, set()) for name in ids))
            if digest in used or len(used) < per_day:
                self._granted.setdefault(submission, set()).add(digest)
                return False
            self.held[submission] = next_day(now, zone)
        return True


def used_on(attempts: Iterable[Attempt], now: datetime, zone: tzinfo) -> set[str]:
    """Digests of the hand-ins that were first graded on this day, by the clocks of `zone`.

    Grading again what was graded on another day uses nothing up, nor does what could not be read or used.
    """
    first: dict[str, datetime] = {}
    for each in sorted(attempts, key=lambda each: each.number):
        if each.result.digest is not None and each.result.status not in _FREE:
            first.setdefault(each.result.digest, each.graded_at)
    today = now.astimezone(zone).date()
    return {digest for digest, at in first.items() if at.astimezone(zone).date() == today}


def next_day(now: datetime, zone: tzinfo) -> datetime:
    """When the next day begins by the clocks of `zone`, also where they are changed at midnight."""
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), zone).astimezone(UTC)
