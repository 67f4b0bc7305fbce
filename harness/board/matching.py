"""Find out whose a submission is by a roster that may write ids in its own way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from harness.board.roster import Roster, read_roster
from harness.errors import Problem, TableError
from harness.text import first_of

Accounts = Iterable[Iterable[str]]
"""Of each person who handed something in, what the learning platform knows them by."""
_SPREADSHEET = re.compile(r"0*(?P<id>.+?)(?:\.0+)?")
_MAX_NAMES_SHOWN = 5
ACCEPT = "--alike-ids"


@dataclass(frozen=True, slots=True)
class RosterFile:
    """A roster as a command line names it."""

    path: Path
    alike: bool = False
    """Whether ids are the same that differ in leading zeros or a trailing '.0' alone."""


def fitted_roster(file: Path | RosterFile, submissions: Mapping[str, Accounts]) -> tuple[Roster, tuple[str, ...]]:
    """The roster with whose the submissions are, and sentences on how well it fits.

    A submission is someone's whose id, team or e-mail address it bears, in whatever case, or whose the platform says it
    is. Where it belongs to several people without a team, they become one. Ids that spreadsheets changed are
    told, and taken for the same only where the file says so.

    Args:
        submissions: id -> what else the platform knows its people by.

    Raises:
        UsageError: the file cannot be read.
        TableError: it has mistakes, or fits nobody.
    """
    file = file if isinstance(file, RosterFile) else RosterFile(file)
    roster = read_roster(file.path)
    groups = _groups(roster)
    exact = set(roster.groups)
    found = {
        submission: whose
        for submission, accounts in submissions.items()
        if submission not in exact
        and (
            whose := {groups[key] for key in map(folded, (submission, *chain.from_iterable(accounts))) if key in groups}
        )
    }
    rest = [each for each in submissions if each not in exact and each not in found]
    alike = _alike(roster, rest)
    if file.alike:
        found |= {submission: {roster.groups[name]} for submission, name in alike.items()}
    if submissions and not found and exact.isdisjoint(submissions):
        raise TableError(str(file.path), [Problem("", _fits_nobody(roster, submissions, alike))])
    together = _together(roster, found)
    return together, tuple(_said(file, together, submissions, {} if file.alike else alike))


def folded(name: str) -> str:
    """What two spellings of one id have in common: e-mail addresses and logins have no case."""
    return name.strip().casefold()


def _groups(roster: Roster) -> dict[str, str]:
    """Id, team or e-mail address -> the team or person; what several share is nobody's."""
    addresses = ((person.email, person.team or person.id) for person in roster.people if person.email)
    known = _by_key((folded(name), group) for name, group in (*roster.groups.items(), *addresses))
    return {name: next(iter(groups)) for name, groups in known.items() if len(groups) == 1}


def _by_key(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for key, value in pairs:
        found.setdefault(key, set()).add(value)
    return found


def _alike(roster: Roster, submissions: Iterable[str]) -> dict[str, str]:
    """Submission -> the one id of the roster that is the same but for what spreadsheets do to numbers."""
    known = _by_key((_bare(person.id), person.id) for person in roster.people)
    theirs = _by_key((_bare(each), each) for each in submissions)
    return {
        next(iter(same)): next(iter(ids))
        for key, same in theirs.items()
        if len(same) == 1 and len(ids := known.get(key, set())) == 1
    }


def _bare(name: str) -> str:
    match = _SPREADSHEET.fullmatch(folded(name))
    return match["id"] if match else folded(name)


def _together(roster: Roster, found: Mapping[str, set[str]]) -> Roster:
    """The roster that knows whose each submission is; who hands in together is a team."""
    several = {group: submission for submission, whose in found.items() if len(whose) > 1 for group in whose}
    people = tuple(
        person.model_copy(update={"team": several[group]}) if (group := person.team or person.id) in several else person
        for person in roster.people
    )
    return replace(roster, people=people, also={each: next(iter(w)) for each, w in found.items() if len(w) == 1})


def _fits_nobody(roster: Roster, submissions: Mapping[str, object], alike: Mapping[str, str]) -> str:
    ids = first_of([repr(person.id) for person in roster.people], _MAX_NAMES_SHOWN)
    theirs = first_of([repr(each) for each in sorted(submissions)], _MAX_NAMES_SHOWN)
    what = f"fits nobody: it has {ids}, and the submissions are {theirs}"
    if alike:
        return f"{what}; {_offer(alike)}"
    return f"{what}; the column id has to hold the ids of submissions, or email the addresses of their authors"


def _offer(alike: Mapping[str, str]) -> str:
    shown = first_of([f"{name!r} for {submission!r}" for submission, name in sorted(alike.items())], _MAX_NAMES_SHOWN)
    return (
        f"{len(alike)} would fit without leading zeros or '.0', which spreadsheets take away or add: {shown}; "
        f"{ACCEPT} takes them for the same, or correct the file"
    )


def _said(
    file: RosterFile, roster: Roster, submissions: Mapping[str, object], alike: Mapping[str, str]
) -> Iterator[str]:
    absent = len(roster.missing(submissions))
    strangers = sorted(set(submissions) - roster.groups.keys())
    handed_in = f"{len(roster.people) - absent} handed in, {absent} did not"
    yield f"{file.path}: {len(roster.people)} people: {handed_in}; {len(strangers)} submissions of nobody in it" + (
        f" ({first_of(strangers, _MAX_NAMES_SHOWN)})" if strangers else ""
    )
    if alike:
        yield f"{file.path}: {_offer(alike)}"
