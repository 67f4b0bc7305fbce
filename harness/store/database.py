"""Open any database SQLAlchemy speaks to, with errors that name the store. What SQLite needs of its own is here."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from harness.errors import UsageError
from harness.vocabulary import DEFAULT_STORE

_BUSY_SECONDS = 30
_EXAMPLES = f"a store is named by an SQLAlchemy URL such as {DEFAULT_STORE} or postgresql+psycopg://host/database"
# Any number will do: who makes or changes tables in PostgreSQL holds the lock of this number.
_POSTGRESQL_LOCK = 0x6861726E657373


def engine_of(url: str) -> tuple[sa.Engine, str]:
    """The engine, and the URL without its password.

    Raises:
        UsageError: not a URL, or there is no driver for it.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        hint = f"; did you mean sqlite:///{url}?" if url.endswith((".db", ".sqlite", ".sqlite3")) else ""
        raise UsageError(f"--store {url}: not a database URL{hint} ({_EXAMPLES})") from error
    shown = parsed.render_as_string(hide_password=True)
    # Python's own driver waits for a busy SQLite file; two graders then take turns instead of failing.
    arguments = {"timeout": _BUSY_SECONDS} if parsed.get_backend_name() == "sqlite" else {}
    try:
        engine = sa.create_engine(parsed, connect_args=arguments)
    except (NoSuchModuleError, ImportError) as error:
        raise UsageError(f"--store {shown}: no driver for this database: {error} ({_EXAMPLES})") from error
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
    return engine, shown


def is_missing_file(url: sa.URL) -> bool:
    """Whether the URL is of an SQLite file that does not exist."""
    in_memory = url.database in {None, "", ":memory:"} or str(url.database).startswith("file:")
    return url.get_backend_name() == "sqlite" and not in_memory and not Path(str(url.database)).is_file()


@contextmanager
def changing_tables(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that makes or alters tables: two processes that start together take turns."""
    with engine.execution_options(for_writing=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_POSTGRESQL_LOCK)))
        yield connection


@contextmanager
def explained(shown: str) -> Iterator[None]:
    """Turn what the database says into a UsageError that names the store."""
    try:
        yield
    except (SQLAlchemyError, ImportError) as error:
        reason = str(getattr(error, "orig", None) or error).strip()
        raise UsageError(f"store {shown} cannot be used: {reason}") from error


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
