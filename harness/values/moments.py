"""Read dates and times as instructors write them, by the clocks of the assignment's time zone."""

from __future__ import annotations

import difflib
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, available_timezones


def zone_named(name: str) -> ZoneInfo:
    """The time zone of the IANA database that is called so.

    Raises:
        ValueError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        known = {each.casefold(): each for each in available_timezones()}
        close = difflib.get_close_matches(name.casefold(), known, n=1)
        hint = f"; did you mean {known[close[0]]!r}?" if close else ", such as Asia/Taipei"
        raise ValueError(f"needs the name of a time zone{hint}") from error


def read_moment(text: str, zone: tzinfo | None) -> datetime:
    """A moment in ISO 8601; without an offset it is what the clocks of `zone` show.

    Raises:
        ValueError: it is none, it lacks the time of day, or there is no zone.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError("needs a date and time such as 2026-01-31T23:59:00+08:00") from error
    if ":" not in text and "T" not in text.upper():
        raise ValueError("needs the time of day too, such as 2026-01-31T23:59:00+08:00")
    if not 2000 <= moment.year <= 2100:
        raise ValueError("needs a year from 2000 to 2100")
    if moment.tzinfo is not None:
        return moment
    if zone is None:
        raise ValueError('needs a time zone: 2026-01-31T23:59:00+08:00, or [rubric.late] timezone = "Asia/Taipei"')
    return latest_at(moment, zone)


def latest_at(clock: datetime, zone: tzinfo) -> datetime:
    """When clocks in `zone` show this, in UTC: two moments of one zone would be compared by their clocks.

    The second time where they are set back and show it twice; where they are set forward and never show it, as long
    after the change as the skipped hour would have been: whoever goes by the clock is never the worse for it.
    """
    return max(clock.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


def moment_text(moment: datetime, zone: tzinfo | None = None) -> str:
    """'2026-01-31 23:59 UTC+08:00': what the clocks of `zone` show, and how far they are from UTC.

    Args:
        zone: None: the one that the moment is told by.
    """
    local = moment if zone is None else moment.astimezone(zone)
    offset = local.isoformat()[-6:].replace("+00:00", "")
    return f"{local:%Y-%m-%d %H:%M} UTC{offset}"
