"""Entry points: who is installed, by name alone. Nothing is imported here but metadata."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from dragoman.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from importlib_metadata import EntryPoint

__all__ = [
    "COMMANDS",
    "PLUGINS",
    "PROVIDERS",
    "STORES",
    "STRATEGIES",
    "Listing",
    "has",
    "listings",
    "load",
    "names",
]

PROVIDERS = "dragoman.providers"
"""Entry-point group of providers: the name is the model prefix."""
PLUGINS = "dragoman.plugins"
"""Entry-point group of everything that listens in but is no provider."""
STORES = "dragoman.stores"
"""Entry-point group of stores: the name is the scheme of their URLs."""
STRATEGIES = "dragoman.strategies"
"""Entry-point group of ways to choose a deployment: the name is the routing_strategy."""
COMMANDS = "dragoman.commands"
"""Entry-point group of subcommands of the ``dragoman`` command."""


class Listing(NamedTuple):
    """One installed entry point."""

    name: str
    distribution: str
    version: str
    value: str
    """``module`` or ``module:attribute``."""

    @property
    def origin(self) -> str:
        """Distribution and version, for messages."""
        return f"{self.distribution} {self.version}"


@cache
def _installed() -> Mapping[str, Sequence[EntryPoint]]:
    """Return the entry points of each group, sorted by name."""
    # One scan of all distributions (milliseconds) serves every group and every later question.
    # Imported here: it is only needed once somebody asks.
    from importlib_metadata import entry_points  # noqa: PLC0415

    groups: dict[str, list[EntryPoint]] = {}
    for entry_point in sorted(entry_points(), key=lambda entry_point: entry_point.name):
        groups.setdefault(entry_point.group, []).append(entry_point)
    return groups


def _in_group(group: str) -> Sequence[EntryPoint]:
    return _installed().get(group, ())


def names(group: str) -> list[str]:
    """Return the names that a group has, sorted, each once."""
    return sorted({entry_point.name for entry_point in _in_group(group)})


def has(group: str, name: str) -> bool:
    """Tell whether a group has a name."""
    return any(entry_point.name == name for entry_point in _in_group(group))


def listings(group: str) -> list[Listing]:
    """Return who provides which name of a group; a name that two distributions claim is there twice."""
    return [_listing(entry_point) for entry_point in _in_group(group)]


def _listing(entry_point: EntryPoint) -> Listing:
    distribution = entry_point.dist
    name, version = (distribution.name, distribution.version) if distribution else ("unknown", "unknown")
    return Listing(entry_point.name, name, version, entry_point.value)


def load(group: str, name: str) -> tuple[Any, Listing] | None:
    """Import what an entry point names; return it and who provides it, None where there is no such name.

    Raises:
        PluginError: two distributions claim the name, or importing it failed; the message names the
            distribution and the command that mends it.
    """
    found = [entry_point for entry_point in _in_group(group) if entry_point.name == name]
    if not found:
        return None
    claims = [_listing(entry_point) for entry_point in found]
    if len(claims) > 1:
        origins = " and ".join(claim.origin for claim in claims)
        unwanted = " or ".join(claim.distribution for claim in claims)
        raise PluginError(
            f"{name!r} is claimed by {origins}; remove the one that is not meant: pip uninstall {unwanted}"
        )
    (entry_point,), (listing,) = found, claims
    try:
        return entry_point.load(), listing
    except ModuleNotFoundError as problem:
        root = (problem.name or "").partition(".")[0]
        if root == listing.value.partition(":")[0].partition(".")[0]:
            mend = f"its files are gone: pip install --force-reinstall {listing.distribution}"
        else:
            mend = f"it needs the module {root!r}, which is not installed: pip install {listing.distribution}"
        raise PluginError(f"{listing.origin} cannot be loaded: {mend}") from problem
    except Exception as problem:
        raise PluginError(
            f"{listing.origin} cannot be loaded: {type(problem).__name__}: {problem}. "
            f"Try: pip install --upgrade {listing.distribution}"
        ) from problem
