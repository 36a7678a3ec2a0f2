"""``POST /responses/input_tokens``: the provider's own count, or an estimate that says so."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

from dragoman.canonical import canonical_input
from dragoman.chains import needs_store, recall
from dragoman.errors import BadRequestError
from dragoman_server.attendance import Attendance
from dragoman_server.failures import server_stops

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dragoman.types import Item
    from dragoman_server.exchange import Exchange

__all__ = ["count", "estimate"]

_CHARACTERS = 4  # of a token, in the middle of many languages and models
_OF_AN_ITEM = 4  # tokens around it: role, separators
_OF_A_FILE = 1000  # tokens: an image of middling size, a page or two
_FILES = frozenset({"image_url", "file_data", "file_url", "file_id"})
_UNREAD = frozenset({"id", "call_id", "type", "status", "encrypted_content", "detail"})


async def count(exchange: Exchange) -> None:
    """``POST /responses/input_tokens``."""
    body = await exchange.body()
    service = exchange.service
    call = service.call(body)
    history: Sequence[Item] = ()
    if needs_store(call.request):
        history = await service.operate(partial(recall, owner=exchange.owner.name, request=call.request))
    attempt = call.token_count(history=history, remembered=True)
    counted: dict[str, Any] = {"object": "response.input_tokens"}
    async with Attendance(exchange.receive) as attendance:
        try:
            async with aclosing(service.transport.events(attempt, call.timeout)) as events:
                async for _ in events:
                    pass  # a count has no events
            counted["input_tokens"] = attempt.input_tokens
        except BadRequestError as refusal:
            if refusal.code != "no_token_counter":
                raise
            counted |= {"input_tokens": estimate(call.request, history), "estimated": True}
        except asyncio.CancelledError:
            if attendance.gone:
                raise
            raise server_stops() from None
    await exchange.answer(counted)


def estimate(request: Mapping[str, Any], history: Sequence[Item] = ()) -> int:
    """Return about how many tokens the input of a request has."""
    items = [*history, *canonical_input(request.get("input") or [])]
    rest = [request.get(name) for name in ("instructions", "tools", "text")]
    characters, files = _size([items, rest])
    return characters // _CHARACTERS + len(items) * _OF_AN_ITEM + files * _OF_A_FILE


def _size(value: Any) -> tuple[int, int]:
    """Return the characters that a model would read, and the files."""
    if isinstance(value, str):
        return len(value), 0
    characters = files = 0
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in _FILES and inner:
                files += 1
            elif name not in _UNREAD:
                more = _size(inner)
                characters, files = characters + len(name) + more[0], files + more[1]
    elif isinstance(value, list):
        for inner in value:
            more = _size(inner)
            characters, files = characters + more[0], files + more[1]
    return characters, files
