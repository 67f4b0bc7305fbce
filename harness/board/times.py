"""Read when hand-ins came and were due, as the instructor knows it: nothing else is asked where that says it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from harness.csv_tables import read_table
from harness.errors import Problem, UsageError
from harness.text import suggestion
from harness.values.decisions import Ruling
from harness.values.late_policy import LatePolicy
from harness.values.moments import moment_text, read_moment
from harness.values.results import Attempt

_COLUMNS = {
    "id": "id",
    "submission": "id",
    "student id": "id",
    "sid": "id",
    "team": "id",
    "submitted": "submitted",
    "submitted_at": "submitted",
    "submitted at": "submitted",
    "handed in": "submitted",
    "due": "due",
    "due date": "due",
    "extension": "due",
    "name": "name",
    "email": "email",
}


@dataclass(frozen=True, slots=True)
class HandInTimes:
    """When hand-ins came and were due."""

    submitted: Mapping[str, datetime] = field(default_factory=dict)
    """Submission or team -> when it was handed in; what the table does not say is absent."""
    due: Mapping[str, datetime] = field(default_factory=dict)
    """Team, or submission without one -> the due date that holds for it."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Submission id -> the team it belongs to, where there are teams."""

    def applied(self, attempt: Attempt) -> Attempt:
        """The attempt with the time that the table has for it."""
        submission = attempt.result.submission
        at = self.submitted.get(submission) or self.submitted.get(self.groups.get(submission, submission))
        if at is None:
            return attempt
        changed = attempt.result.model_copy(update={"submitted_at": at, "time_source": "times"})
        return attempt.model_copy(update={"result": changed})

    def extended(self, rulings: Mapping[str, Ruling], zone: tzinfo) -> HandInTimes:
        """With the due dates of those who were given more time; of a team's, what was decided last holds.

        Args:
            rulings: who -> the extension in force.
            zone: whose clocks a mistake is told by.

        Raises:
            UsageError: the table has another due date for one of them.
        """
        due, problems = dict(self.due), []
        for who, ruling in sorted(rulings.items(), key=lambda each: each[1].at):
            group, until = self.groups.get(who, who), ruling.until
            if until is None:
                continue
            if self.due.get(group, until) != until:
                table, decided = moment_text(self.due[group], zone), moment_text(until, zone)
                there = f"--times says {table}, 'harness extend' said {decided}"
                problems.append(f"{who}: due twice: {there} ({ruling.author}: {ruling.reason})")
            due[group] = until
        if problems:
            remedy = "take the cell out of the table, or the extension back with 'harness extend … --undo'"
            raise UsageError("; ".join([*problems, remedy]))
        return replace(self, due=due)

    def due_of(self, submission: str) -> datetime | None:
        """Its own due date; None: the assignment's."""
        return self.due.get(self.groups.get(submission, submission))


def read_times(
    path: Path, policy: LatePolicy | None, submissions: Collection[str], groups: Mapping[str, str]
) -> HandInTimes:
    """A CSV file with the columns `id`, and `submitted` or `due` or both; an empty cell says nothing.

    An id is that of a submission, of someone in the roster, or of a team. A due date is the whole team's. So is a time,
    unless the line has the id of a submission.

    Args:
        policy: says whose clocks times without an offset go by.
        submissions: the ids of all that was handed in.
        groups: id -> the person or team it belongs to, of everyone in the roster.

    Raises:
        UsageError: the file cannot be read.
        TableError: it has mistakes: unknown ids and columns, what is no time, two different ones for one team; all are
            listed.
    """
    table = read_table(path, _COLUMNS, "id")
    if not {"submitted", "due"} & set(table.columns):
        table.problems.append(Problem("line 1", "there is no column submitted or due"))
    known = {*submissions, *groups}
    zone = None if policy is None else policy.zone
    submitted: dict[str, datetime] = {}
    due: dict[str, datetime] = {}
    for row in table.rows:
        name = row.cells.get("id", "")
        if name and name not in known:
            hint = suggestion(name, known) or "; --roster names those who have handed in nothing yet"
            table.problems.append(Problem(row.where, f"no submission {name!r}{hint}"))
        group = groups.get(name, name)
        whose = {"submitted": name if name in submissions else group, "due": group}
        for column, found in (("submitted", submitted), ("due", due)):
            cell = row.cells.get(column)
            if cell and (mistake := _note(found, whose[column], cell, zone)):
                table.problems.append(Problem(f"{row.where}, {column}", mistake))
    table.check()
    return HandInTimes(submitted, due, groups)


def _note(found: dict[str, datetime], key: str, cell: str, zone: tzinfo | None) -> str | None:
    """Note the moment of one cell, or return what is wrong with it."""
    try:
        moment = read_moment(cell, zone)
    except ValueError as error:
        return f"{error} (got {cell!r})"
    if found.setdefault(key, moment) != moment:
        there = moment_text(found[key], zone or UTC)
        return f"{moment_text(moment, zone or UTC)}, but {there} for someone of the same team"
    return None
