"""Keep what an instructor decides: each decision is a row of its own, and none is ever changed.

`forget` is the one thing that takes anything out of a store.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa

from harness.errors import UsageError
from harness.store.database import explained
from harness.store.tables import attempts, claims, events, intakes, overrides, requests, rulings, tables
from harness.values.decisions import Event, Override, Request, Ruling

Decision = Override | Ruling | Request
DecisionT = TypeVar("DecisionT", Override, Ruling, Request)
AnyT = TypeVar("AnyT", Override, Ruling, Request, Event)


@dataclass(frozen=True, slots=True)
class Decisions:
    """The decisions about one assignment.

    Args:
        engine: of the store at `url`.
    """

    engine: sa.Engine
    url: str
    assignment_id: str

    def add(self, who: str, decision: Decision) -> None:
        """Keep a decision; earlier ones stay.

        Args:
            who: id of a submission, or for rulings and requests also of a person or a team.

        Raises:
            UsageError: the database cannot be written.
        """
        match decision:
            case Override():
                table = overrides
            case Ruling():
                table = rulings
            case Request():
                table = requests
        _, _, name, text = table.columns
        row = {"assignment_id": self.assignment_id, name.name: who, text.name: decision.model_dump_json()}
        with explained(self.url), self.engine.begin() as connection:
            connection.execute(table.insert().values(row))

    def overrides(self) -> tuple[tuple[str, Override], ...]:
        """(submission id, override) of all that were ever made, oldest first; `decisions.in_force` says what holds."""
        return self._all(Override, overrides)

    def rulings(self) -> tuple[tuple[str, Ruling], ...]:
        """(who, ruling), oldest first; `decisions.rulings_in_force` says what holds."""
        return self._all(Ruling, rulings)

    def requests(self) -> tuple[tuple[str, Request], ...]:
        """(who, step of a regrade request), oldest first."""
        return self._all(Request, requests)

    def add_event(self, event: Event) -> None:
        """Keep that a board was frozen or published, or the reverse."""
        with explained(self.url), self.engine.begin() as connection:
            connection.execute(events.insert().values(assignment_id=self.assignment_id, event=event.model_dump_json()))

    def events(self) -> tuple[Event, ...]:
        """All of them, oldest first; `decisions.state_after` says what follows."""
        query = sa.select(events).where(events.c.assignment_id == self.assignment_id).order_by(events.c.number)
        with explained(self.url), self.engine.connect() as connection:
            return tuple(self._read(Event, events, row.number, row.event) for row in connection.execute(query))

    def forget(self, submission: str) -> int:
        """Take a submission's attempts, files, networks, overrides and requests out of the store.

        Rulings stay: they say who took it out, and why. What evaluators measured is kept under digests, without a name.

        Returns:
            How many attempts there were.

        Raises:
            UsageError: the database cannot be written.
        """
        columns = attempts.c
        ours = (columns.assignment_id == self.assignment_id) & (columns.submission == submission)
        with explained(self.url), self.engine.begin() as connection:
            wanted = sa.select(columns.number, columns.result, columns.submission_digest).where(ours)
            rows = connection.execute(wanted).all()
            # By the files; in what older versions kept, by the network, which only what was verified has.
            digests = {digest for row in rows for digest in (row.submission_digest, _network(row.result)) if digest}
            for digest in digests:
                connection.execute(intakes.delete().where(intakes.c.said.contains(digest, autoescape=True)))
            for table in tables.sorted_tables:
                if "attempt" in table.columns:
                    connection.execute(table.delete().where(table.c.attempt.in_([row.number for row in rows])))
            for table, who in ((overrides, "submission"), (requests, "who"), (claims, "submission")):
                theirs = (table.c.assignment_id == self.assignment_id) & (table.c[who] == submission)
                connection.execute(table.delete().where(theirs))
            connection.execute(attempts.delete().where(ours))
        return len(rows)

    def _all(self, kind: type[DecisionT], table: sa.Table) -> tuple[tuple[str, DecisionT], ...]:
        number, assignment, who, text = table.columns
        query = sa.select(number, who, text).where(assignment == self.assignment_id).order_by(number)
        with explained(self.url), self.engine.connect() as connection:
            rows = connection.execute(query).all()
        return tuple((whose, self._read(kind, table, place, said)) for place, whose, said in rows)

    def _read(self, kind: type[AnyT], table: sa.Table, number: int, text: str) -> AnyT:
        """What an instructor decided is not passed over in silence, as an attempt may be that can be made again."""
        try:
            return kind.model_validate_json(text)
        except ValueError as error:
            reason = f"row {number} of {table.name} is damaged; delete that row and decide again"
            raise UsageError(f"store {self.url}: {reason}") from error


def _network(result: str) -> str | None:
    """The digest of the network of a result, as far as it has one and can be read."""
    try:
        network = json.loads(result).get("network") or {}
    except (ValueError, AttributeError):
        return None
    return str(network.get("digest") or "") or None
