"""``dragoman models``: well-known models of the installed providers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman import discovery
from dragoman_cli.exits import OK
from dragoman_cli.terminal import as_json, note, say

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from dragoman.hookspecs import ProviderInfo

__all__ = ["configure", "help", "run"]

help = "list well-known models of the installed providers"  # noqa: A001 - the name that Command has


def configure(parser: ArgumentParser) -> None:
    """Add the arguments."""
    parser.epilog = "The list is not a limit: any model that the provider knows can be asked."
    parser.add_argument("provider", nargs="?", metavar="PROVIDER", help="this one alone")
    parser.add_argument("--json", action="store_true", help="print a list of objects")


def run(arguments: Namespace) -> int:
    """Print ``provider/model``, one a line; a provider that cannot be loaded is noted on stderr.

    Raises:
        UnknownProviderError: nothing installed serves the one that was named.
        PluginError: the plugin of the one that was named is broken.
    """
    infos = [_info(arguments.provider)] if arguments.provider else _installed()
    models = [
        {"id": f"{info.name}/{model}", "provider": info.name} for info in infos for model in info.models
    ]
    if arguments.json:
        say(as_json(models, indent=2))
    elif models:
        say("\n".join(model["id"] for model in models))
    if arguments.provider and not models:
        note("warning", f"{arguments.provider} lists no models; ask for one by the provider's own name")
    return OK


def _installed() -> list[ProviderInfo]:
    infos = []
    for name in discovery.names(discovery.PROVIDERS):
        try:
            infos.append(_info(name))
        except Exception as problem:  # one broken provider must not hide the others
            note("error", problem)
    return infos


def _info(name: str) -> ProviderInfo:
    from dragoman.providers import load_provider  # noqa: PLC0415 - not for --help

    return load_provider(name).info
