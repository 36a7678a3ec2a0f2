"""``dragoman params``: what becomes of each parameter on a provider, or on several, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman_cli.exits import OK
from dragoman_cli.terminal import as_json, say, table

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping

    from dragoman.hookspecs import ProviderInfo

__all__ = ["configure", "help", "run"]

help = "show which parameters a provider supports, and how"  # noqa: A001 - the name that Command has

_HEADINGS = ("parameter", "support", "note")


def configure(parser: ArgumentParser) -> None:
    """Add the arguments."""
    parser.epilog = (
        "support: native, mapped (another name or shape), emulated (by dragoman), warned (left out with a "
        "warning), rejected (a 400 that names it)."
    )
    parser.add_argument(
        "providers",
        nargs="+",
        metavar="PROVIDER",
        help="such as anthropic, or a model of it; several are shown side by side",
    )
    parser.add_argument("--beyond", metavar="OTHER", help="with --markdown: what differs from OTHER's table")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print an object by parameter")
    form.add_argument("--markdown", action="store_true", help="print a README's table: the provider's own")


def run(arguments: Namespace) -> int:
    """Print the policy table of one provider, or compare those of several.

    Raises:
        UnknownProviderError: nothing installed serves a prefix.
        PluginError: a plugin is broken.
    """
    from dragoman.parameters import as_markdown, full_table  # noqa: PLC0415 - not for --help
    from dragoman.providers import described  # noqa: PLC0415

    infos = {name: described(name) for name in arguments.providers}
    if len(infos) > 1:
        return _compare(infos, arguments)
    (info,) = infos.values()
    policies = full_table(info.parameters, native=info.native)
    if arguments.json:
        say(as_json({name: policy._asdict() for name, policy in policies.items()}, indent=2))
    elif arguments.markdown:
        other = described(arguments.beyond).parameters if arguments.beyond else None
        say(as_markdown(info.parameters, beyond=other))
    else:
        say(table(_HEADINGS, [(name, policy.support, policy.note) for name, policy in policies.items()]))
    return OK


def _compare(infos: Mapping[str, ProviderInfo], arguments: Namespace) -> int:
    from dragoman.parameters import PARAMETERS, policy_for  # noqa: PLC0415 - not for --help

    named = {name for info in infos.values() for name in info.parameters}
    features = sorted(name for name in named if name.partition(".")[0] in PARAMETERS and "." in name)
    groups = {name.partition(".")[0] for name in features}
    supports = {
        name: [policy_for(name, info.parameters, native=info.native).support for info in infos.values()]
        for name in [*(name for name in PARAMETERS if name not in groups), *features]
    }
    names = list(infos)
    if arguments.json:
        compared = {name: dict(zip(names, found, strict=True)) for name, found in supports.items()}
        say(as_json(compared, indent=2))
    elif arguments.markdown:
        lines = [("parameter", *names), ("--",) * (len(names) + 1)]
        lines += [(f"`{name}`", *found) for name, found in supports.items()]
        say("\n".join(f"| {' | '.join(line)} |" for line in lines))
    else:
        say(table(("parameter", *names), [(name, *found) for name, found in supports.items()]))
    return OK
