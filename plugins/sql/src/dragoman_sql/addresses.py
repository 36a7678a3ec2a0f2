"""URLs of databases: as people write them, as SQLAlchemy needs them, and as anybody may read them."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from dragoman.errors import BadRequestError

__all__ = ["file_of", "parse", "shown"]

_DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}
_FORMS = (
    "sqlite:///relative.db, sqlite:////absolute/path.db, sqlite:// (in memory) "
    "or postgresql://user:password@host/database"
)


def parse(text: str) -> URL:
    """Return a URL with the driver that this package uses, whichever one is written.

    Raises:
        BadRequestError: it is no URL of a database that this package knows.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # Not chained, not repeated: what could not be read may be a piece of a password.
        raise _wrong(
            f"not a URL of a database; write {_FORMS}, with special characters of the password "
            "percent-encoded (@ as %40)"
        ) from None
    scheme = url.drivername.partition("+")[0]
    if scheme not in _DRIVERS:
        raise _wrong(f"{scheme}:// is not known here; write {_FORMS}")
    if scheme == "sqlite" and url.host is not None:
        raise _wrong(f"sqlite://{url.host} names a host; a file has three slashes: sqlite:///{url.host}")
    url = url.set(drivername=_DRIVERS[scheme])
    if scheme == "sqlite" and url.database is not None and url.database.startswith("~"):
        url = url.set(database=str(Path(url.database).expanduser()))
    return url


def shown(url: URL) -> str:
    """Return a URL for messages: without password and options (which may hold one too)."""
    plain = url.set(drivername=url.get_backend_name(), query={})
    return plain.render_as_string(hide_password=True)


def file_of(url: URL) -> Path | None:
    """Return the file of an SQLite database; None for one in memory, on a server, or named by its own URI."""
    name = url.database
    if url.get_backend_name() != "sqlite" or not name or name == ":memory:" or name.startswith("file:"):
        return None
    return Path(name)


def _wrong(why: str) -> BadRequestError:
    return BadRequestError(f"store: {why}", param="store", code="invalid_store_url")
