"""A durable store for dragoman's responses and conversations: SQLite or PostgreSQL, by SQLAlchemy.

``Dragoman(store="sqlite:///path.db")`` opens it by URL; ``open_store(url)`` does so by hand. Nothing heavy is
imported before that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dragoman_sql.store import SQLStore, StoreError

__all__ = ["SQLStore", "StoreError", "open_store"]


def open_store(url: str) -> SQLStore:
    """Open the database at a URL, and bring its tables up to date.

    Args:
        url: ``sqlite:///relative.db``, ``sqlite:////absolute.db``, ``sqlite://`` (in memory), or
            ``postgresql://user:password@host/database``.

    Raises:
        BadRequestError: the URL is not one of these.
        PluginError: the driver is missing, or the database belongs to a newer dragoman-sql.
        ServiceUnavailableError: the file cannot be written, or the server cannot be reached.
    """
    from dragoman_sql.store import SQLStore  # noqa: PLC0415 - SQLAlchemy, only once a store is opened

    return SQLStore(url)


def __getattr__(name: str) -> Any:
    """Load a public class at its first use."""
    if name not in __all__:
        raise AttributeError(f"module 'dragoman_sql' has no attribute {name!r}")
    from dragoman_sql import store  # noqa: PLC0415 - see above

    return getattr(store, name)
