"""The command ``dragoman spend``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dragoman_cli.exits import OK, UsageError
from dragoman_cli.terminal import as_json, say, table

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping, Sequence

__all__ = ["command"]

_BY = "key, user, model, provider, asked, tag, day"
_COLUMNS = {
    "calls": "calls",
    "failed_calls": "failed",
    "input_tokens": "input",
    "cached_tokens": "cached",
    "output_tokens": "output",
    "reasoning_tokens": "reasoning",
    "cost": "cost",
    "unpriced_calls": "no price",
}
_FILTERS = ("key", "user", "model", "provider", "asked", "tag")


class _Spend:
    help = "say what calls have cost, by key, user, model, provider, tag or day"

    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        parser.epilog = (
            "Days are those of UTC. The cost is in dollars, of the calls whose price is known; the column "
            "'no price' counts the others. A call with several tags is in the row of each."
        )
        add = parser.add_argument
        add("--by", action="append", default=[], metavar="NAME", help=f"{_BY}; may be given several times")
        add("--since", metavar="DAY", help="the first day: 2026-11-23, or 7d for seven days ago")
        add("--until", metavar="DAY", help="the last day")
        for name in _FILTERS:
            add(f"--{name}", metavar=name.upper(), help=f"only calls with this {name}")
        add("--store", metavar="URL", help="the server's store: sqlite:///dragoman.db, postgresql://...")
        add("--config", "-c", type=Path, metavar="FILE", help="the server's config, which names its store")
        add("--json", action="store_true", help="as GET /spend answers")

    def run(self, arguments: Namespace) -> int:
        """Ask the store.

        Raises:
            UsageError: no store is named.
            BadRequestError: an unknown name, or no date.
            ServiceUnavailableError: the store cannot be opened.
        """
        from dragoman.memory.keeper import Keeper  # noqa: PLC0415 - not for --help
        from dragoman.memory.stores import open_store  # noqa: PLC0415
        from dragoman_server.spending import answer, read_question  # noqa: PLC0415

        where = {name: getattr(arguments, name) for name in _FILTERS}
        question = read_question(arguments.by, arguments.since, arguments.until, where)
        keeper = Keeper(open_store(_store(arguments)))
        try:
            told = keeper.run(lambda transaction: answer(transaction, question))
        finally:
            keeper.close()
        say(as_json(told, indent=2) if arguments.json else _table(told))
        return OK


command = _Spend()


def _store(arguments: Namespace) -> str:
    if arguments.store is not None:
        return str(arguments.store)
    if arguments.config is None:
        raise UsageError("which store? Give --store URL, or --config FILE of the server")
    from dragoman_server.config import load_config  # noqa: PLC0415

    store = load_config(arguments.config).server.store
    if store is None:
        raise UsageError(
            f"{arguments.config} names no store, so its server keeps the ledger in memory: ask it, with "
            "GET /spend"
        )
    return store


def _table(told: Mapping[str, Any]) -> str:
    by: Sequence[str] = told["by"]
    rows = [[*(_name(row[name]) for name in by), *_figures(row)] for row in told["data"]]
    if by:
        rows.append(["total", *[""] * (len(by) - 1), *_figures(told["total"])])
    return table([*by, *_COLUMNS.values()], rows or [_figures(told["total"])])


def _name(value: str) -> str:
    """Return a value on one line; callers choose some of them."""
    return value if value.isprintable() and value else repr(value) if value else "-"


def _figures(row: Mapping[str, Any]) -> list[str]:
    return ["unknown" if row[name] is None else str(row[name]) for name in _COLUMNS]
