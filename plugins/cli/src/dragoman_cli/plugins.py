"""``dragoman plugins``: what is installed, read from metadata; with ``--check``, whether it works."""

from __future__ import annotations

from collections import Counter
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from dragoman import discovery
from dragoman_cli.commands import BUILT_IN, load_command
from dragoman_cli.exits import OK, PLUGIN
from dragoman_cli.terminal import as_json, say, table

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

__all__ = ["configure", "help", "run"]

help = "list what is installed, and in which state"  # noqa: A001 - the name that Command has

_GROUPS = {
    "provider": discovery.PROVIDERS,
    "plugin": discovery.PLUGINS,
    "store": discovery.STORES,
    "strategy": discovery.STRATEGIES,
    "command": discovery.COMMANDS,
}
_WORKING = "ok"
_CONFLICT = "conflict"


class _Row(NamedTuple):
    name: str
    kind: str
    distribution: str
    version: str
    state: str


def configure(parser: ArgumentParser) -> None:
    """Add the arguments."""
    parser.epilog = (
        "state: ok, missing module, or conflict (somebody else claims the name too). Nothing is imported "
        "but with --check, which exits with 6 where something does not work."
    )
    parser.add_argument("--check", action="store_true", help="import each and show what is wrong with it")
    parser.add_argument("--json", action="store_true", help="print a list of objects")


def run(arguments: Namespace) -> int:
    """Print one line for each entry point."""
    rows = [row for kind, group in _GROUPS.items() for row in _rows(kind, group, check=arguments.check)]
    if arguments.json:
        say(as_json([row._asdict() for row in rows], indent=2))
    else:
        say(table(_Row._fields, rows))
    return PLUGIN if arguments.check and any(row.state != _WORKING for row in rows) else OK


def _rows(kind: str, group: str, *, check: bool) -> list[_Row]:
    listings = discovery.listings(group)
    claims = Counter(listing.name for listing in listings)
    if kind == "command":
        claims.update(BUILT_IN.keys())  # a built-in command wins, so another of its name never runs
    return [
        _Row(
            listing.name,
            kind,
            listing.distribution,
            listing.version,
            _checked(kind, listing) if check and claims[listing.name] == 1 else _state(listing, claims),
        )
        for listing in listings
    ]


def _state(listing: discovery.Listing, claims: Counter[str]) -> str:
    if claims[listing.name] > 1:
        return _CONFLICT
    root = listing.value.partition(":")[0].partition(".")[0]
    try:
        found = find_spec(root) is not None
    except (ImportError, ValueError):
        found = False
    return _WORKING if found else "missing module"


def _checked(kind: str, listing: discovery.Listing) -> str:
    try:
        _CHECKS[kind](listing.name)
    except Exception as problem:  # whatever a plugin raises is its state
        return " ".join(str(problem).split()) or type(problem).__name__
    return _WORKING


def _check_provider(name: str) -> None:
    from dragoman.providers import load_provider  # noqa: PLC0415 - pluggy is not needed for a listing

    load_provider(name)


_CHECKS: dict[str, Callable[[str], object]] = {
    "provider": _check_provider,
    "plugin": lambda name: discovery.load(discovery.PLUGINS, name),
    "store": lambda name: discovery.load(discovery.STORES, name),
    "strategy": lambda name: discovery.load(discovery.STRATEGIES, name),
    "command": load_command,
}
