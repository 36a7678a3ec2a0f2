"""Entry points: who is installed, by name alone. Nothing is imported here but metadata."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from dragoman.errors import PluginError

if TYPE_CHECKING:
    from importlib_metadata import EntryPoint, EntryPoints

__all__ = ["COMMANDS", "PLUGINS", "PROVIDERS", "Listing", "find", "listings", "names"]

PROVIDERS = "dragoman.providers"
"""Entry-point group of providers: the name is the model prefix."""
PLUGINS = "dragoman.plugins"
"""Entry-point group of everything that listens in but is no provider."""
COMMANDS = "dragoman.commands"
"""Entry-point group of subcommands of the ``dragoman`` command."""


class Listing(NamedTuple):
    """One installed entry point."""

    name: str
    distribution: str
    version: str
    value: str
    """``module`` or ``module:attribute``."""


@cache
def _installed() -> EntryPoints:
    # One scan of all distributions (milliseconds) serves every group and every later question.
    # Imported here: it is only needed once somebody asks.
    from importlib_metadata import entry_points  # noqa: PLC0415

    return entry_points()


def _in_group(group: str) -> list[EntryPoint]:
    return sorted(_installed().select(group=group), key=lambda entry_point: entry_point.name)


def names(group: str) -> list[str]:
    """Return the names that a group has, sorted, each once."""
    return sorted({entry_point.name for entry_point in _in_group(group)})


def listings(group: str) -> list[Listing]:
    """Return who provides which name of a group; a name that two distributions claim is there twice."""
    return [_listing(entry_point) for entry_point in _in_group(group)]


def _listing(entry_point: EntryPoint) -> Listing:
    distribution = entry_point.dist
    name, version = (distribution.name, distribution.version) if distribution else ("unknown", "unknown")
    return Listing(entry_point.name, name, version, entry_point.value)


def find(group: str, name: str) -> tuple[EntryPoint, Listing] | None:
    """Return the one entry point of that name, None where there is none.

    Raises:
        PluginError: two distributions claim the name.
    """
    found = [entry_point for entry_point in _in_group(group) if entry_point.name == name]
    if len(found) > 1:
        claims = " and ".join(f"{claim.distribution} {claim.version}" for claim in map(_listing, found))
        unwanted = _listing(found[-1]).distribution
        raise PluginError(
            f"{name!r} is claimed by {claims}; uninstall one of them, for example: pip uninstall {unwanted}"
        )
    return (found[0], _listing(found[0])) if found else None
