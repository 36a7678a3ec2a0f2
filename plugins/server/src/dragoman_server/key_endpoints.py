"""The endpoints of ``/keys``, for whoever has the master key: made, listed, revoked."""

from __future__ import annotations

import re
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from dragoman.errors import NotFoundError
from dragoman_server.authentication import check_admin
from dragoman_server.budgets import limit_of_key
from dragoman_server.key_terms import read_terms
from dragoman_server.keys import Key, add_key, list_keys, new_key, revoke_key

if TYPE_CHECKING:
    from dragoman.state import Transaction
    from dragoman_server.exchange import Exchange

__all__ = ["create", "list_all", "revoke", "told_keys"]

_ID = re.compile(r"key_[0-9a-f]{32}")


async def create(exchange: Exchange) -> None:
    """``POST /keys``: the only answer that holds the key."""
    check_admin(exchange.owner)
    key, stored = new_key(read_terms(await exchange.body()))
    await exchange.service.operate(add_key, stored=stored)
    await exchange.answer({**Key.read(stored).as_json(), "key": key})


async def list_all(exchange: Exchange) -> None:
    """``GET /keys``: the revoked ones too, and what their budgets stand at."""
    check_admin(exchange.owner)
    listed = await exchange.service.operate(partial(told_keys, now=time.time()))
    await exchange.answer({"object": "list", "data": listed})


async def revoke(exchange: Exchange) -> None:
    """``DELETE /keys/{key_id}``: it opens nothing any more; what it has made and spent stays."""
    check_admin(exchange.owner)
    key_id = str(exchange.path["key_id"])
    if not _ID.fullmatch(key_id):
        raise NotFoundError(f"Key with id {key_id[:80]!r} not found.", param="key_id", code="not_found")
    key = await exchange.service.operate(revoke_key, key_id=key_id)
    exchange.service.keys.forget(key_id)
    await exchange.answer(key.as_json())


def told_keys(transaction: Transaction, now: float) -> list[dict[str, Any]]:
    """Return all keys as they are told, with what their budgets stand at."""
    told: list[dict[str, Any]] = []
    for key in list_keys(transaction):
        limit = limit_of_key(key, now)
        account = None if limit is None else transaction.get_account(limit.account)
        told.append(key.as_json(account, None if limit is None else limit.resets_at))
    return told
