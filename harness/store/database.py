"""Open any database SQLAlchemy speaks to, with errors that name the store. What SQLite needs of its own is here."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from harness.errors import UsageError
from harness.vocabulary import DEFAULT_STORE

_BUSY_SECONDS = 30
_EXAMPLES = f"a store is named by an SQLAlchemy URL such as {DEFAULT_STORE} or postgresql+psycopg://host/database"
# Any number will do: who makes or changes tables in PostgreSQL holds the lock of this number.
_POSTGRESQL_LOCK = 0x6861726E657373


def engine_of(url: str, *, create: bool = True) -> tuple[sa.Engine, str]:
    """The engine, and the URL without its password.

    Args:
        create: False where it is only read: then an SQLite file that cannot be written will do.

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
    if not create and _is_read_only(parsed):
        parsed = _reading(parsed)
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


def _is_read_only(url: sa.URL) -> bool:
    """Whether the URL is of an SQLite file that is there but cannot be written, or its log beside it cannot."""
    if url.get_backend_name() != "sqlite" or is_missing_file(url) or not url.database or url.database == ":memory:":
        return False
    file = Path(url.database)
    return file.is_file() and not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK))


def _reading(url: sa.URL) -> sa.URL:
    """The URL that reads such a file (https://www.sqlite.org/uri.html).

    SQLite wants to make a log beside a file even to read it, unless it is told that nobody will change the file; but
    then a log that is there is not looked at.
    """
    file = Path(str(url.database)).resolve()
    log = file.with_name(f"{file.name}-wal")
    unchanging = {} if log.is_file() and log.stat().st_size else {"immutable": "1"}
    return url.set(database=f"file:{quote(str(file))}", query={"mode": "ro", **unchanging, "uri": "true"})


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
