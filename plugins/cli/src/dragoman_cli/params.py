"""``dragoman params``: what becomes of each parameter on a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman_cli.exits import OK
from dragoman_cli.terminal import as_json, say, table

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["configure", "help", "run"]

help = "show which parameters a provider supports, and how"  # noqa: A001 - the name that Command has

_HEADINGS = ("parameter", "support", "note")


def configure(parser: ArgumentParser) -> None:
    """Add the arguments."""
    parser.epilog = (
        "support: native, mapped (another name or shape), emulated (by dragoman), warned (left out with a "
        "warning), rejected (a 400 that names it)."
    )
    parser.add_argument("provider", metavar="PROVIDER", help="such as anthropic; a model's name does too")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print an object by parameter")
    form.add_argument("--markdown", action="store_true", help="print a README's table: the provider's own")


def run(arguments: Namespace) -> int:
    """Print the policy table.

    Raises:
        UnknownProviderError: nothing installed serves this prefix.
        PluginError: its plugin is broken.
    """
    from dragoman.parameters import as_markdown, full_table  # noqa: PLC0415 - not for --help
    from dragoman.providers import load_provider  # noqa: PLC0415

    provider = load_provider(arguments.provider.partition("/")[0])
    policies = full_table(provider.info.parameters, native=provider.native)
    if arguments.json:
        say(as_json({name: policy._asdict() for name, policy in policies.items()}, indent=2))
        return OK
    if arguments.markdown:
        say(as_markdown(provider.info.parameters))
        return OK
    say(table(_HEADINGS, [(name, policy.support, policy.note) for name, policy in policies.items()]))
    return OK
