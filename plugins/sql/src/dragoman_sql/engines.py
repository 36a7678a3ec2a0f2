"""Connections as each database needs them, so that a commit is on disk when it returns."""

from __future__ import annotations

import os
import sqlite3
import time
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from dragoman.errors import PluginError
from dragoman_sql.addresses import file_of

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BEGIN", "CONNECTIONS", "PATIENCE", "make_engine"]

CONNECTIONS = {"sqlite": 1, "postgresql": 10}
"""How many connections a store holds at most: SQLite has one writer in any case, so threads take turns."""
_AS_WRITER = "BEGIN IMMEDIATE"  # a reader that turns writer would be refused if somebody wrote in between
BEGIN = {"sqlite": _AS_WRITER, "postgresql": None}
"""What begins a transaction; None: the driver does so by itself."""
PATIENCE = 5.0
"""Seconds to wait for another writer of an SQLite file, or for a server to answer a connection."""


def make_engine(url: sa.URL) -> sa.Engine:
    """Return an engine; nothing is connected yet.

    Raises:
        PluginError: the driver is not installed.
        OSError: the file cannot be made.
    """
    return _MAKERS[url.get_backend_name()](url)


def _make_sqlite(url: sa.URL) -> sa.Engine:
    file = file_of(url)
    if file is not None:
        _make_file(file)
    engine = sa.create_engine(
        url,
        hide_parameters=True,  # what people wrote has no place in error messages
        poolclass=StaticPool,
        connect_args={"check_same_thread": False, "timeout": PATIENCE},
    )
    sa.event.listen(engine, "connect", _begin_by_hand)
    sa.event.listen(engine, "begin", _begin_as_writer)
    return engine


def _make_postgresql(url: sa.URL) -> sa.Engine:
    query = {"connect_timeout": f"{PATIENCE:.0f}", "application_name": "dragoman", **url.query}
    try:
        engine = sa.create_engine(
            url.set(query=query),
            hide_parameters=True,
            pool_size=CONNECTIONS["postgresql"],
            max_overflow=0,
            pool_pre_ping=True,  # a server that was restarted costs nobody a request
            isolation_level="READ COMMITTED",
            paramstyle="format",  # positional, as SQLite's: see ``dragoman_sql.execution``
        )
    except ImportError as problem:
        raise PluginError(
            "PostgreSQL needs a driver that is not installed: pip install 'dragoman-sql[postgresql]'"
        ) from problem
    sa.event.listen(engine, "connect", _commit_to_disk)
    return engine


_MAKERS = {"sqlite": _make_sqlite, "postgresql": _make_postgresql}


# ---- SQLite ---------------------------------------------------------------------------------------------


def _make_file(file: Path) -> None:
    """Make the file so that only its user can read it, as SQLite then does for what it keeps beside it."""
    if not file.exists():
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))


def _begin_by_hand(connection: Any, record: object) -> None:  # noqa: ARG001
    connection.isolation_level = None  # or the driver would begin by itself, and as a reader
    _use_write_ahead_log(connection)
    connection.execute("PRAGMA synchronous = FULL")  # the log is synced at every commit
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = FAST")  # what is deleted is overwritten where that is free


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as problem:
            # SQLite does not wait by itself while another process makes the same change.
            if problem.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_as_writer(connection: sa.Connection) -> None:
    connection.exec_driver_sql(_AS_WRITER)


# ---- PostgreSQL -----------------------------------------------------------------------------------------


def _commit_to_disk(connection: Any, record: object) -> None:  # noqa: ARG001
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false) "
            "WHERE current_setting('synchronous_commit') = 'off'"
        )
    connection.commit()
