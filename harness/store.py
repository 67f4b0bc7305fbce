"""The store: every attempt of every submission, in any database SQLAlchemy speaks to. Nothing is ever overwritten.

Results are kept as the JSON that `--json` prints; the columns beside it are only what is searched by. An SQLite file is
the default; PostgreSQL and others take the same statements, and what SQLite needs of its own is in `_prepare_sqlite`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from harness.errors import UsageError
from harness.results import AssignmentInfo, Attempt, Environment, Result

DEFAULT_URL = "sqlite:///harness.db"
STORE_VERSION = 1
_BUSY_SECONDS = 30
_EXAMPLES = f"a store is named by an SQLAlchemy URL such as {DEFAULT_URL} or postgresql+psycopg://host/database"

_tables = sa.MetaData()
_meta = sa.Table(
    "harness_store",
    _tables,
    sa.Column("key", sa.String(50), primary_key=True),
    sa.Column("value", sa.String(200), nullable=False),
)
_attempts = sa.Table(
    "harness_attempts",
    _tables,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    # ISO 8601 in UTC: SQLite would lose the zone of a DATETIME, and people read the file with other tools.
    sa.Column("graded_at", sa.String(40), nullable=False),
    sa.Column("assignment_id", sa.String(200), nullable=False),
    sa.Column("assignment_digest", sa.String(100), nullable=False),
    sa.Column("submission", sa.Text, nullable=False),
    sa.Column("submission_digest", sa.String(100)),
    sa.Column("status", sa.String(30), nullable=False),
    sa.Column("sandbox", sa.String(30), nullable=False),
    sa.Column("assignment", sa.Text, nullable=False),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("result", sa.Text, nullable=False),
    sa.Index("harness_attempts_by_submission", "assignment_id", "submission", "number"),
    sqlite_autoincrement=True,  # a number is never used twice, not even after rows were deleted by hand
)


# The weights of a submission's newest attempt that has any, for comparisons across the class (`harness.kept`).
_weights = sa.Table(
    "harness_weights",
    _tables,
    sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Store:
    """An open store; make one with `open`. Safe to use from several threads and several processes."""

    url: str
    """Without its password."""
    _engine: sa.Engine

    @classmethod
    def open(cls, url: str = DEFAULT_URL, *, create: bool = True) -> Store:
        """Connect, and make the tables if they are not there.

        Args:
            create: False for commands that only read; they shall not leave an empty file behind.

        Raises:
            UsageError: no such URL, database or driver, not a store, or one of a newer harness.
        """
        engine, shown = _engine(url)
        if not create and _is_missing_file(engine.url):
            raise UsageError(f"no store at {shown}: nothing was graded in this folder yet, or --store names another")
        if engine.dialect.name == "sqlite":
            _prepare_sqlite(engine)
        with _explained(shown), engine.execution_options(for_writing=create).begin() as connection:
            if create:
                _tables.create_all(connection)
            elif not sa.inspect(connection).has_table(_attempts.name):
                raise UsageError(f"no store at {shown}: the database holds no results of this harness")
            _check_version(connection, shown, create=create)
        return cls(shown, engine)

    def close(self) -> None:
        self._engine.dispose()

    def add(
        self, assignment: AssignmentInfo, environment: Environment, result: Result, weights: bytes | None = None
    ) -> None:
        """Keep one attempt; on return it has reached the disk.

        Args:
            weights: as `harness.kept.packed` makes them; they replace those of earlier attempts.

        Raises:
            UsageError: the database cannot be written.
        """
        row = {
            "graded_at": datetime.now(UTC).isoformat(timespec="microseconds"),
            "assignment_id": assignment.id,
            "assignment_digest": assignment.digest,
            "submission": result.submission,
            "submission_digest": result.digest,
            "status": result.status,
            "sandbox": environment.sandbox,
            "assignment": assignment.model_dump_json(),
            "environment": environment.model_dump_json(),
            "result": result.to_json(),
        }
        with _explained(self.url), self._engine.begin() as connection:
            added = connection.execute(_attempts.insert().values(row)).inserted_primary_key
            if weights is not None and added is not None:
                _replace_weights(connection, assignment.id, result.submission, added[0], weights)

    def latest(self, assignment_id: str) -> tuple[Attempt, ...]:
        """The newest attempt of every submission, by submission id."""
        return tuple(map(_attempt, self._rows(sa.select(_attempts).where(_is_latest(assignment_id)))))

    def weights(self, assignment_id: str) -> dict[str, bytes]:
        """Submission id -> the weights of its newest attempt, for those that were kept."""
        with _explained(self.url), self._engine.connect() as connection:
            if not sa.inspect(connection).has_table(_weights.name):  # written by a harness that kept none
                return {}
            kept = _attempts.join(_weights, _attempts.c.number == _weights.c.attempt)
            query = sa.select(_attempts.c.submission, _weights.c.data).select_from(kept)
            return {row.submission: row.data for row in connection.execute(query.where(_is_latest(assignment_id)))}

    def history(self, assignment_id: str, submission: str) -> tuple[Attempt, ...]:
        """Every attempt of one submission, oldest first."""
        chosen = (_attempts.c.assignment_id == assignment_id) & (_attempts.c.submission == submission)
        return tuple(map(_attempt, self._rows(sa.select(_attempts).where(chosen))))

    def submissions(self, assignment_id: str) -> tuple[str, ...]:
        """The ids of everyone who was ever graded."""
        column = _attempts.c.submission
        return tuple(
            row.submission for row in self._rows(sa.select(_attempts).where(_is_latest(assignment_id)), column)
        )

    def graded(self, assignment: AssignmentInfo, environment: Environment) -> dict[str, str]:
        """Submission id -> files digest of those that need no new grading.

        Their newest attempt was made under the same assignment, data and sandbox and did not end in our own error.
        """
        columns = _attempts.c
        unchanged = (
            _is_latest(assignment.id)
            & (columns.assignment_digest == assignment.digest)
            & (columns.sandbox == environment.sandbox)
            & (columns.status != "harness_error")
            & columns.submission_digest.is_not(None)
        )
        rows = self._rows(sa.select(_attempts).where(unchanged), columns.submission, columns.submission_digest)
        return {row.submission: row.submission_digest for row in rows}

    def _rows(self, query: sa.Select[Any], *columns: sa.Column[Any]) -> Sequence[sa.Row[Any]]:
        if columns:
            query = query.with_only_columns(*columns)
        with _explained(self.url), self._engine.connect() as connection:
            return connection.execute(query.order_by(_attempts.c.submission, _attempts.c.number)).all()


def _replace_weights(
    connection: sa.Connection, assignment_id: str, submission: str, attempt: int, weights: bytes
) -> None:
    columns = _attempts.c
    ours = (columns.assignment_id == assignment_id) & (columns.submission == submission)
    connection.execute(_weights.delete().where(_weights.c.attempt.in_(sa.select(columns.number).where(ours))))
    connection.execute(_weights.insert().values(attempt=attempt, data=weights))


def _is_latest(assignment_id: str) -> sa.ColumnElement[bool]:
    newest = (
        sa.select(sa.func.max(_attempts.c.number))
        .where(_attempts.c.assignment_id == assignment_id)
        .group_by(_attempts.c.submission)
    )
    return _attempts.c.number.in_(newest)


def _attempt(row: sa.Row[Any]) -> Attempt:
    return Attempt.model_validate(
        {
            "number": row.number,
            "graded_at": row.graded_at,
            "assignment": json.loads(row.assignment),
            "environment": json.loads(row.environment),
            "result": json.loads(row.result),
        }
    )


def _engine(url: str) -> tuple[sa.Engine, str]:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        hint = f"; did you mean sqlite:///{url}?" if url.endswith((".db", ".sqlite", ".sqlite3")) else ""
        raise UsageError(f"--store {url}: not a database URL{hint} ({_EXAMPLES})") from error
    shown = parsed.render_as_string(hide_password=True)
    # Python's own driver waits for a busy SQLite file; two graders then take turns instead of failing.
    arguments = {"timeout": _BUSY_SECONDS} if parsed.get_backend_name() == "sqlite" else {}
    try:
        return sa.create_engine(parsed, connect_args=arguments), shown
    except (NoSuchModuleError, ImportError) as error:
        raise UsageError(f"--store {shown}: no driver for this database: {error} ({_EXAMPLES})") from error


def _is_missing_file(url: sa.URL) -> bool:
    in_memory = url.database in {None, "", ":memory:"} or str(url.database).startswith("file:")
    return url.get_backend_name() == "sqlite" and not in_memory and not Path(str(url.database)).is_file()


def _prepare_sqlite(engine: sa.Engine) -> None:
    """What only SQLite needs, so that several processes can write one file.

    Readers do not block writers in WAL mode. Python's driver leaves CREATE TABLE outside transactions unless it is told
    to keep out; and the transaction that makes the tables must own the file from the start, else two processes that
    start together both find none.
    """

    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        try:
            if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError:
            # Someone else is converting the file just now, or it cannot be written: both are fine here, and the first
            # statement that really needs more will say so.
            return

    def on_begin(connection: sa.Connection) -> None:
        writing = connection.get_execution_options().get("for_writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    sa.event.listen(engine, "connect", on_connect)
    sa.event.listen(engine, "begin", on_begin)


def _check_version(connection: sa.Connection, shown: str, *, create: bool) -> None:
    found = connection.scalar(sa.select(_meta.c.value).where(_meta.c.key == "version"))
    if found is None and create:
        connection.execute(_meta.insert().values(key="version", value=str(STORE_VERSION)))
    elif found is None or not found.isdigit():
        raise UsageError(f"store {shown}: its version cannot be read; was it written by this harness?")
    elif int(found) > STORE_VERSION:
        raise UsageError(
            f"store {shown} has version {found}, written by a newer harness; this one knows version {STORE_VERSION}: "
            "upgrade compress-harness, or name another file with --store"
        )


@contextmanager
def _explained(shown: str) -> Iterator[None]:
    """Turn what the database says into a UsageError that names the store."""
    try:
        yield
    except (SQLAlchemyError, ImportError) as error:
        reason = str(getattr(error, "orig", None) or error).strip()
        raise UsageError(f"store {shown} cannot be used: {reason}") from error
