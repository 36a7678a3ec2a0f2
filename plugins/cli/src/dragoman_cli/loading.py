"""Importing what an entry point names, with errors that say which distribution is to blame."""

from __future__ import annotations

from typing import Any

from dragoman import discovery
from dragoman.errors import PluginError

__all__ = ["load_entry_point"]


def load_entry_point(group: str, name: str) -> tuple[Any, discovery.Listing] | None:
    """Return what the entry point stands for, and who provides it; None where there is no such name.

    Raises:
        PluginError: two distributions claim the name, or importing it failed.
    """
    found = discovery.find(group, name)
    if found is None:
        return None
    entry_point, listing = found
    try:
        return entry_point.load(), listing
    except Exception as problem:
        raise PluginError(
            f"{listing.distribution} {listing.version} cannot be loaded: "
            f"{type(problem).__name__}: {problem}. Try: pip install --upgrade "
            f"--force-reinstall {listing.distribution}"
        ) from problem
