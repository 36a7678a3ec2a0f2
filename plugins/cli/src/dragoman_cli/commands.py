"""Subcommands: those of this package, and those that other distributions add.

A distribution adds one with an entry point, a module or an object that is a ``Command``::

    [project.entry-points."dragoman.commands"]
    serve = "dragoman_server.command"

It is imported when somebody runs it; ``dragoman --help`` knows its name from the metadata alone.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from dragoman import discovery
from dragoman.errors import PluginError
from dragoman_cli.exits import UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["BUILT_IN", "Command", "load_command", "summaries"]

BUILT_IN = {
    "ask": "dragoman_cli.ask",
    "batch": "dragoman_cli.batch",
    "models": "dragoman_cli.models",
    "params": "dragoman_cli.params",
    "plugins": "dragoman_cli.plugins",
}
"""The commands of this package, by name: modules. Another distribution cannot replace them."""

_ELSEWHERE = {"keys": "dragoman-server", "serve": "dragoman-server", "spend": "dragoman-server"}


class Command(Protocol):
    """One subcommand: a module or an object with these names."""

    @property
    def help(self) -> str:
        """What it does, in one line."""

    def configure(self, parser: ArgumentParser, /) -> None:
        """Add its arguments. ``--help`` and ``--debug`` are there already."""

    def run(self, arguments: Namespace, /) -> int:
        """Do it, and return the exit code.

        What it raises becomes one ``error:`` line and the exit code that ``dragoman --help`` lists.
        """


def load_command(name: str) -> Command:
    """Return the subcommand of that name; no other is imported.

    Raises:
        UsageError: there is none; the message names those that are, and what to install.
        PluginError: its distribution is broken, or two claim the name.
    """
    if name in BUILT_IN:
        return cast("Command", import_module(BUILT_IN[name]))
    loaded = discovery.load(discovery.COMMANDS, name)
    if loaded is None:
        raise UsageError(_unknown(name))
    command, provided = loaded
    missing = [attribute for attribute in ("help", "configure", "run") if not hasattr(command, attribute)]
    if missing:
        raise PluginError(
            f"{provided.distribution} {provided.version}: the command {name!r} ({provided.value}) "
            f"lacks {', '.join(missing)}"
        )
    return cast("Command", command)


def summaries() -> dict[str, str]:
    """Return every subcommand and a line about it; of other distributions nothing but the name is read."""
    others = {
        listing.name: f"(from {listing.distribution} {listing.version})"
        for listing in discovery.listings(discovery.COMMANDS)
    }
    return {**others, **{name: load_command(name).help for name in BUILT_IN}}


def _unknown(name: str) -> str:
    known = sorted({*BUILT_IN, *discovery.names(discovery.COMMANDS)})
    close = difflib.get_close_matches(name, known, n=1)
    return (
        f"there is no command {name!r}."
        + (f" Did you mean {close[0]!r}?" if close else "")
        + (f" It comes with: pip install {_ELSEWHERE[name]}." if name in _ELSEWHERE else "")
        + f" Installed: {', '.join(known)}"
    )
