"""The store: opening, transactions, closing, and what is said when a database cannot."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dragoman.errors import ServiceUnavailableError
from dragoman_sql.addresses import file_of, parse, shown
from dragoman_sql.engines import BEGIN, CONNECTIONS, PATIENCE, make_engine
from dragoman_sql.migrations import migrate
from dragoman_sql.presence import Presence
from dragoman_sql.statements import Statements
from dragoman_sql.transactions import SQLTransaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa
    from sqlalchemy import PoolProxiedConnection

__all__ = ["SQLStore", "StoreError"]


class StoreError(Exception):
    """The database cannot do now what it is asked; core's Keeper makes a 503 of it."""


class SQLStore:
    """See ``dragoman.state.Store``. When a transaction's block is left, what it wrote is on disk."""

    blocking = True

    def __init__(self, url: str) -> None:
        """Open a database, and bring its tables up to date (see ``open_store``)."""
        parsed = parse(url)
        self.url = shown(parsed)
        """Where it is, without the password."""
        try:
            self._engine = make_engine(parsed)
            with _closing_on_failure(self._engine):
                migrate(self._engine)
                self._presence = Presence(file_of(parsed))
        except (OSError, SQLAlchemyError) as problem:
            raise _unopened(parsed, problem) from problem
        self.alone_at = self._presence.alone_at
        dialect = self._engine.dialect
        self._connections = threading.BoundedSemaphore(CONNECTIONS[dialect.name])
        self._statements = Statements(dialect)
        self._begin = BEGIN[dialect.name]
        self._errors = (SQLAlchemyError, dialect.loaded_dbapi.Error)
        self._closed = False

    def __repr__(self) -> str:
        """Show where it is, without the password."""
        return f"SQLStore({self.url!r})"

    @contextmanager
    def transaction(self) -> Iterator[SQLTransaction]:
        """Begin; leaving the block commits, an exception rolls back.

        Raises:
            StoreError: the database cannot be reached, is full, or is busy for too long.
        """
        if not self._connections.acquire(timeout=PATIENCE):
            raise StoreError(f"{self.url}: busy for {PATIENCE:g} s")
        try:
            if self._closed:
                raise StoreError(f"{self.url}: the store was closed")
            connection = self._connect()
            try:
                cursor = connection.cursor()
                if self._begin is not None:
                    cursor.execute(self._begin)
                yield SQLTransaction(cursor, self._statements)
                connection.commit()
            except BaseException as problem:
                self._roll_back(connection)
                if isinstance(problem, self._errors):
                    raise StoreError(f"{self.url}: {_refusal(problem)}") from problem
                raise
            finally:
                connection.close()
        finally:
            self._connections.release()

    def close(self) -> None:
        """Let go of files and connections."""
        self._closed = True
        self._engine.dispose()
        self._presence.close()

    def _connect(self) -> PoolProxiedConnection:
        try:
            return self._engine.raw_connection()
        except self._errors as problem:
            raise StoreError(f"{self.url}: {_reason(problem)}") from problem

    def _roll_back(self, connection: PoolProxiedConnection) -> None:
        try:
            connection.rollback()
        except self._errors:
            connection.invalidate()  # it is lost, and with it what was not committed


@contextmanager
def _closing_on_failure(engine: sa.Engine) -> Iterator[None]:
    try:
        yield
    except BaseException:
        engine.dispose()
        raise


def _unopened(url: sa.URL, problem: Exception) -> ServiceUnavailableError:
    reason, file = _reason(problem), file_of(url)
    if file is not None and not file.parent.is_dir():
        reason = f"there is no folder {str(file.parent)!r}; make it first"
    return ServiceUnavailableError(
        f"the store {shown(url)} cannot be opened: {reason}",
        code="store_unavailable",
        type="server_error",
        param="store",
    )


def _reason(problem: BaseException) -> str:
    """Return why it cannot be reached, in the driver's words: neither the statement nor what was in it."""
    if isinstance(problem, DBAPIError) and problem.orig is not None:
        return _reason(problem.orig) if problem.statement is None else _refusal(problem.orig)
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    return " ".join(str(problem).split())  # a driver tells of every attempt to connect


def _refusal(problem: BaseException) -> str:
    """Return why a statement was refused; behind the first line stands which value was."""
    return str(problem).partition("\n")[0]
