"""From what a caller says of a store to the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from dragoman import discovery
from dragoman.errors import BadRequestError
from dragoman.memory.keeper import Keeper
from dragoman.memory.memory_store import MemoryStore
from dragoman.turns.turn import Memory

if TYPE_CHECKING:
    from dragoman.state import Store

__all__ = ["memory_of", "open_store"]


def memory_of(store: Store | str | Literal[False] | None) -> Memory | None:
    """Return where an application's own client keeps its turns; None for nowhere.

    Raises:
        BadRequestError: a URL that no installed package can open.
    """
    found = opened(store)
    return None if found is False else Memory(keeper=Keeper(found), foreign_ids=True)


def opened(store: Store | str | Literal[False] | None) -> Store | Literal[False]:
    """Return the store that an argument means: None is one in this process's memory, False none at all.

    Raises:
        BadRequestError: a URL that no installed package can open.
    """
    if store is None:
        return MemoryStore()
    return open_store(store) if isinstance(store, str) else store


def open_store(url: str) -> Store:
    """Return the store at a URL; its scheme names the entry point in the group ``dragoman.stores``.

    Raises:
        BadRequestError: nothing installed opens such URLs.
        PluginError: what should open it is broken.
    """
    scheme = url.partition(":")[0].partition("+")[0]
    found = discovery.load(discovery.STORES, scheme)
    if found is None:
        known = ", ".join(discovery.names(discovery.STORES)) or "none: pip install dragoman-sql"
        raise BadRequestError(
            f"nothing installed opens a store at {scheme}://...; there is: {known}",
            param="store",
            code="unknown_store",
        )
    return cast("Store", found[0](url))
