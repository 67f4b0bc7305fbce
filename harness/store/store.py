"""Store every attempt of every submission, in any database SQLAlchemy speaks to. Nothing is ever overwritten.

Results are kept as the JSON that `--json` prints; the columns beside it are what is searched by and what is too large
to be read every time. An SQLite file is the default; PostgreSQL takes the same statements.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.exc import DataError, IntegrityError

from harness.errors import UsageError
from harness.store.claims import Claims
from harness.store.database import changing_tables, engine_of, explained, is_missing_file
from harness.store.decisions import Decisions
from harness.store.tables import (
    STORE_VERSION,
    Basis,
    attempt_of,
    attempts,
    bring_up_to_date,
    evaluation_of,
    evaluation_row,
    evaluations,
    found_version,
    intakes,
    kept_sources,
    kept_weights,
    metadata,
    read_row,
    row_of,
    tables,
    unkeepable,
)
from harness.values.evaluation import Evaluation
from harness.values.results import AssignmentInfo, Attempt, Environment, Result
from harness.vocabulary import DEFAULT_STORE

Depth = Literal["brief", "details", "everything"]
"""How much of an attempt is read: what boards need; also curves, layers and what reports show; also predictions."""


@dataclass(frozen=True, slots=True)
class Store:
    """An open store; make one with `open`. Safe to use from several threads and several processes."""

    url: str
    """Without its password."""
    _engine: sa.Engine

    @classmethod
    def open(cls, url: str = DEFAULT_STORE, *, create: bool = True) -> Store:
        """Connect, and make the tables if they are not there; a store of an older harness is brought up to date.

        Args:
            create: False for commands that only read; they shall not leave an empty file behind.

        Raises:
            UsageError: no such URL, database or driver, not a store, or one of a newer harness.
        """
        engine, shown = engine_of(url, create=create)
        if not create and is_missing_file(engine.url):
            raise UsageError(f"no store at {shown}: nothing was graded in this folder yet, or --store names another")
        try:
            with explained(shown):
                version = _made(engine, shown) if create else _found(engine, shown)
                if version < STORE_VERSION:
                    with changing_tables(engine) as connection:
                        bring_up_to_date(connection)
        except BaseException:
            engine.dispose()
            raise
        return cls(shown, engine)

    def close(self) -> None:
        self._engine.dispose()

    def add(
        self,
        assignment: AssignmentInfo,
        environment: Environment,
        result: Result,
        weights: bytes | None = None,
        basis: Basis | None = None,
        *,
        sources: bytes | None = None,
    ) -> Result:
        """Keep one attempt; on return it has reached the disk, and was read back.

        Args:
            weights: as `harness.store.weights.packed` makes them; they replace those of earlier attempts.
            sources: as `harness.store.sources.packed` makes them, likewise.
            basis: without it, the attempt cannot be judged by other rules.

        Returns:
            What was kept: where a result cannot be read back as it is, a `harness_error` that says so.

        Raises:
            UsageError: the database cannot be written.
        """
        with explained(self.url):
            try:
                self._add(assignment, environment, result, basis, {kept_weights: weights, kept_sources: sources})
            except (DataError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
                result = unkeepable(result, error)
                self._add(assignment, environment, result, None, {})
        return result

    def _add(
        self,
        assignment: AssignmentInfo,
        environment: Environment,
        result: Result,
        basis: Basis | None,
        kept: Mapping[sa.Table, bytes | None],
    ) -> None:
        with self._engine.begin() as connection:
            row = row_of(assignment, environment, result, basis)
            number = connection.execute(attempts.insert().values(row).returning(attempts.c.number)).scalar_one()
            read_row(connection.execute(sa.select(attempts).where(attempts.c.number == number)).one())
            for table, data in kept.items():
                if data is not None:
                    _replace_kept(connection, table, (assignment.id, result.submission), number, data)

    def latest(self, assignment_id: str, *, depth: Depth = "details") -> tuple[Attempt, ...]:
        """The newest attempt of every submission, by submission id."""
        found = map(attempt_of, self._rows(_select(depth).where(_is_latest(assignment_id))))
        # Here and not in the database, whose order depends on its language.
        return tuple(sorted(found, key=lambda each: each.result.submission))

    def weights(self, assignment_id: str) -> dict[str, bytes]:
        """Submission id -> the weights of its newest attempt, for those that were kept."""
        return self._kept(kept_weights, assignment_id)

    def sources(self, assignment_id: str) -> dict[str, bytes]:
        """Submission id -> the sources of its newest attempt, for those that were kept."""
        return self._kept(kept_sources, assignment_id)

    def history(self, assignment_id: str, submission: str) -> tuple[Attempt, ...]:
        """Every attempt of one submission, oldest first."""
        chosen = (attempts.c.assignment_id == assignment_id) & (attempts.c.submission == submission)
        return tuple(map(attempt_of, self._rows(sa.select(attempts).where(chosen))))

    def submissions(self, assignment_id: str) -> tuple[str, ...]:
        """The ids of everyone who was ever graded."""
        query = sa.select(attempts.c.submission).where(_is_latest(assignment_id))
        return tuple(sorted(row.submission for row in self._rows(query)))

    def counts(self, assignment_id: str, *, until: datetime | None = None) -> dict[str, int]:
        """Submission id -> how many different hand-ins of it were graded; grading one again does not count.

        Args:
            until: what was graded later does not count either.
        """
        columns = attempts.c
        different = sa.func.count(sa.distinct(columns.submission_digest))
        query = (
            sa.select(columns.submission, different)
            .where(columns.assignment_id == assignment_id)
            .group_by(columns.submission)
        )
        if until is not None:
            query = query.where(columns.graded_at <= until.astimezone(UTC).isoformat(timespec="microseconds"))
        with explained(self.url), self._engine.connect() as connection:
            # What could not even be read has no digest, and is an attempt all the same.
            return {row[0]: max(1, row[1]) for row in connection.execute(query)}

    def attempts(self, assignment_id: str, *, depth: Depth = "details") -> tuple[Attempt, ...]:
        """Every attempt of everyone, in the order they were graded."""
        chosen = attempts.c.assignment_id == assignment_id
        return tuple(map(attempt_of, self._rows(_select(depth).where(chosen))))

    def decisions(self, assignment_id: str) -> Decisions:
        """What an instructor decided about one assignment."""
        return Decisions(self._engine, self.url, assignment_id)

    def graded(self, assignment_id: str, conditions: Collection[str]) -> dict[str, tuple[str, str | None]]:
        """Submission id -> digest and signature of the files of its newest attempt, if made under these conditions."""
        columns = attempts.c
        unchanged = _is_latest(assignment_id) & columns.conditions.in_(conditions)
        unchanged &= columns.submission_digest.is_not(None)
        wanted = sa.select(columns.submission, columns.submission_digest, columns.signature).where(unchanged)
        return {row.submission: (row.submission_digest, row.signature) for row in self._rows(wanted)}

    def graded_since(self, assignment_id: str, submission: str, number: int) -> tuple[str | None, str | None] | None:
        """Files digest and conditions of a submission's newest attempt, if its number is higher than this one."""
        columns = attempts.c
        newer = _is_latest(assignment_id) & (columns.submission == submission) & (columns.number > number)
        found = self._rows(sa.select(columns.submission_digest, columns.conditions).where(newer))
        return (found[0].submission_digest, found[0].conditions) if found else None

    def newest(self) -> int:
        """The number of the last attempt of all."""
        with explained(self.url), self._engine.connect() as connection:
            return connection.scalar(sa.select(sa.func.max(attempts.c.number))) or 0

    def claims(self, assignment_id: str) -> Claims:
        """For one run of grading."""
        return Claims(self._engine, self.url, assignment_id)

    def remembered(self, key: str) -> str | None:
        """A short text that was remembered under a key."""
        with explained(self.url):
            return self._fact(key)

    def remember(self, key: str, value: str) -> None:
        """Remember a short text under a key of at most 50 characters, in place of another."""
        self._replace(metadata, {"key": key, "value": value})

    def keep_evaluation(self, key: str, at: datetime, evaluation: Evaluation) -> None:
        """Keep what an evaluator found, in place of what was kept under the same key.

        Raises:
            UsageError: the database cannot be written.
        """
        self._replace(evaluations, evaluation_row(key, at, evaluation))

    def evaluations(self, keys: Collection[str]) -> dict[str, tuple[datetime, Evaluation]]:
        """Key -> when it was found and what, of those that are kept and not damaged."""
        query = sa.select(evaluations).where(evaluations.c.key.in_(keys))
        with explained(self.url), self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return {row.key: found for row in rows if (found := evaluation_of(row)) is not None}

    def keep_intake(self, key: str, said: str, tensors: bytes | None) -> None:
        """Keep what running a hand-in's code has given, in place of what was kept under the same key.

        Raises:
            UsageError: the database cannot be written.
        """
        self._replace(intakes, {"key": key, "said": said, "tensors": tensors})

    def intake(self, key: str) -> tuple[str, bytes | None] | None:
        """What `keep_intake` was given."""
        query = sa.select(intakes.c.said, intakes.c.tensors).where(intakes.c.key == key)
        with explained(self.url), self._engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else (row.said, row.tensors)

    def secret(self, name: str) -> str:
        """A random text that belongs to this store: the same whenever it is asked for, and known to nobody else."""
        with explained(self.url):
            if (found := self._fact(name)) is not None:
                return found
            try:
                with self._engine.begin() as connection:
                    connection.execute(metadata.insert().values(key=name, value=secrets.token_hex(16)))
            except IntegrityError:
                pass  # another process was faster
            return str(self._fact(name))

    def _kept(self, table: sa.Table, assignment_id: str) -> dict[str, bytes]:
        with explained(self.url), self._engine.connect() as connection:
            kept = attempts.join(table, attempts.c.number == table.c.attempt)
            query = sa.select(attempts.c.submission, table.c.data).select_from(kept)
            return {row.submission: row.data for row in connection.execute(query.where(_is_latest(assignment_id)))}

    def _replace(self, table: sa.Table, row: Mapping[str, Any]) -> None:
        """Put a row in the place of the one with its key; of two that come at once either will do."""
        with explained(self.url), suppress(IntegrityError), self._engine.begin() as connection:
            connection.execute(table.delete().where(table.c.key == row["key"]))
            connection.execute(table.insert().values(row))

    def _fact(self, key: str) -> str | None:
        with self._engine.connect() as connection:
            found: str | None = connection.scalar(sa.select(metadata.c.value).where(metadata.c.key == key))
            return found

    def _rows(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        with explained(self.url), self._engine.connect() as connection:
            return connection.execute(query.order_by(attempts.c.number)).all()


def _select(depth: Depth) -> sa.Select[Any]:
    left_out: Mapping[Depth, Sequence[sa.Column[Any]]] = {
        "brief": (attempts.c.details, attempts.c.predictions),
        "details": (attempts.c.predictions,),
        "everything": (),
    }
    names = {column.name for column in left_out[depth]}
    return sa.select(*(column for column in attempts.c if column.name not in names))


def _made(engine: sa.Engine, shown: str) -> int:
    with changing_tables(engine) as connection:
        tables.create_all(connection)
        return found_version(connection, shown, create=True)


def _found(engine: sa.Engine, shown: str) -> int:
    with engine.begin() as connection:
        if not sa.inspect(connection).has_table(attempts.name):
            raise UsageError(f"no store at {shown}: the database holds no results of this harness")
        return found_version(connection, shown, create=False)


def _replace_kept(conn: sa.Connection, table: sa.Table, whose: tuple[str, str], attempt: int, data: bytes) -> None:
    columns = attempts.c
    ours = (columns.assignment_id == whose[0]) & (columns.submission == whose[1])
    conn.execute(table.delete().where(table.c.attempt.in_(sa.select(columns.number).where(ours))))
    conn.execute(table.insert().values(attempt=attempt, data=data))


def _is_latest(assignment_id: str) -> sa.ColumnElement[bool]:
    newest = (
        sa.select(sa.func.max(attempts.c.number))
        .where(attempts.c.assignment_id == assignment_id)
        .group_by(attempts.c.submission)
    )
    return attempts.c.number.in_(newest)
