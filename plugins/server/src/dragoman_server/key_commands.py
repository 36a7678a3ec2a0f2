"""The command ``dragoman keys``: makes, lists and revokes keys in a server's store."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dragoman_cli.exits import OK, UsageError
from dragoman_cli.terminal import remark, say, table

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

    from dragoman.state import Transaction

__all__ = ["keys"]

_IN_MEMORY = frozenset({"", "sqlite:", "sqlite:///:memory:"})


class _Keys:
    help = "make, list and revoke the keys that callers of a server show"

    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        parser.epilog = (
            "Keys are in the server's store: name it by --store, or the server's --config. A running server "
            "knows a new key at once, and follows a revoked one within 5 seconds."
        )
        actions = parser.add_subparsers(dest="action", required=True, metavar="create|list|revoke")
        create = actions.add_parser("create", description="make a key, and show it, once")
        add = create.add_argument
        add("--name", help="whose it is, or what for")
        add("--models", metavar="A,B,...", help="what it may ask, such as claude,openai/*; else everything")
        add("--expires", metavar="SPAN", help="when it ends: 12h, 30d, ...; else never")
        add("--rpm", type=int, metavar="N", help="requests in a minute")
        add("--tpm", type=int, metavar="N", help="tokens in a minute")
        add("--parallel", type=int, metavar="N", help="requests at once")
        add("--budget", metavar="DOLLARS", help="how much it may spend")
        add(
            "--period",
            metavar="SPAN",
            help="how long until the budget begins anew: 1d, 7d, month; else never",
        )
        add("--unknown-prices", action="store_true", help="let it ask models whose price nobody knows")
        add("--metadata", action="append", metavar="NAME=TEXT", help="may be repeated")
        lists = actions.add_parser("list", description="list all keys, and what they have spent")
        revoke = actions.add_parser("revoke", description="end a key")
        revoke.add_argument("id", help="key_..., as list shows it")
        for action in (create, lists, revoke):
            action.add_argument("--store", metavar="URL", help="sqlite:///dragoman.db, postgresql://...")
            action.add_argument("--config", "-c", type=Path, metavar="FILE", help="the server's config.yaml")
            action.add_argument("--json", action="store_true", help="as JSON, with all there is")

    def run(self, arguments: Namespace) -> int:
        """Do it.

        Raises:
            UsageError: no store is named, or an argument is wrong.
            APIError: the store cannot be used, or has no such key.
        """
        return _ACTIONS[arguments.action](arguments)


def _create(arguments: Namespace) -> int:
    from dragoman.errors import BadRequestError  # noqa: PLC0415 - not for --help
    from dragoman_server.key_terms import read_terms  # noqa: PLC0415
    from dragoman_server.keys import Key, add_key, new_key  # noqa: PLC0415

    budget = None
    if arguments.budget is not None:
        unknown = arguments.unknown_prices
        budget = {"amount": arguments.budget, "period": arguments.period, "unknown_prices": unknown}
    elif arguments.period is not None or arguments.unknown_prices:
        raise UsageError("--period and --unknown-prices are about a --budget: give one")
    models = arguments.models
    given = {
        "name": arguments.name,
        "models": None if models is None else [name.strip() for name in models.split(",")],
        "expires_in": arguments.expires,
        "rpm": arguments.rpm,
        "tpm": arguments.tpm,
        "max_parallel_requests": arguments.parallel,
        "budget": budget,
        "metadata": dict(_pair(text) for text in arguments.metadata or ()) or None,
    }
    try:
        terms = read_terms(given)
    except BadRequestError as problem:
        raise UsageError(problem.message) from None
    key, stored = new_key(terms)
    _operate(arguments, partial(add_key, stored=stored))
    if arguments.json:
        say(json.dumps({**Key.read(stored).as_json(), "key": key}))
    else:
        say(key)
        remark(f"{stored.id} was made. The key is shown this once: the store has only its digest.")
    return OK


def _list(arguments: Namespace) -> int:
    from dragoman_server.key_endpoints import told_keys  # noqa: PLC0415 - not for --help

    now = time.time()
    listed = _operate(arguments, partial(told_keys, now=now))
    if arguments.json:
        say(json.dumps(listed))
    elif listed:
        rows = [(key["id"], key["name"] or "", _state(key, now), _limits(key), _spent(key)) for key in listed]
        say(table(("id", "name", "state", "may", "spent"), rows))
    else:
        say("no keys")
    return OK


def _revoke(arguments: Namespace) -> int:
    from dragoman_server.keys import revoke_key  # noqa: PLC0415 - not for --help

    key = _operate(arguments, partial(revoke_key, key_id=arguments.id))
    say(json.dumps(key.as_json()) if arguments.json else f"{key.id} is revoked")
    return OK


_ACTIONS: dict[str, Callable[[Namespace], int]] = {"create": _create, "list": _list, "revoke": _revoke}
keys = _Keys()


def _operate(arguments: Namespace, operation: Callable[[Transaction], Any]) -> Any:
    from dragoman.memory.keeper import Keeper  # noqa: PLC0415 - not for --help
    from dragoman.memory.stores import open_store  # noqa: PLC0415

    keeper = Keeper(open_store(_store(arguments)))
    try:
        return keeper.run(operation)
    finally:
        keeper.close()


def _store(arguments: Namespace) -> str:
    from dragoman_server.config import load_config  # noqa: PLC0415 - not for --help

    store: str | None = arguments.store
    if store is None and arguments.config is not None:
        config = load_config(arguments.config)
        config.export()
        store = config.server.store
    if (store or "").rstrip("/") in _IN_MEMORY:
        raise UsageError(
            "keys are kept in a server's store, and none is named: --store sqlite:///dragoman.db or "
            "postgresql://..., or --config with a file that has dragoman_settings.store"
        )
    return str(store)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise UsageError(f"--metadata needs NAME=TEXT, not {text!r}")
    return name, value


def _state(key: dict[str, Any], now: float) -> str:
    if key["revoked_at"] is not None:
        return "revoked"
    if key["expires_at"] is None:
        return "ok"
    day = datetime.fromtimestamp(key["expires_at"], UTC).date().isoformat()
    return f"expired {day}" if key["expires_at"] <= now else f"until {day}"


def _limits(key: dict[str, Any]) -> str:
    names = {"rpm": "rpm", "tpm": "tpm", "max_parallel_requests": "at once"}
    limits = [f"{key[name]} {shown}" for name, shown in names.items() if key[name] is not None]
    models = ["everything"] if key["models"] is None else [" ".join(key["models"]) or "nothing"]
    return ", ".join(models + limits)


def _spent(key: dict[str, Any]) -> str:
    budget = key["budget"]
    if budget is None:
        return ""
    per = "" if budget["period"] is None else f" per {budget['period']}"
    return f"${budget['spent']} of ${budget['amount']}{per}"
