"""``POST /responses/input_tokens``: the provider's own count, or an estimate that says so."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

from dragoman.canonical import canonical_input
from dragoman.chains import Recalled, needs_store, recall
from dragoman.errors import BadRequestError
from dragoman.token_counts import estimate_tokens
from dragoman_server.attendance import Attendance
from dragoman_server.failures import server_stops

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dragoman.routing import Journey
    from dragoman.types import Item
    from dragoman_server.exchange import Exchange

__all__ = ["count", "estimate"]


async def count(exchange: Exchange) -> None:
    """``POST /responses/input_tokens``."""
    body = await exchange.body()
    service = exchange.service
    journey = service.journey(body, exchange.owner)
    admission = service.admission(exchange.owner)
    await admission.admit(journey, journey.call.request, asks=False)
    exchange.standing = admission.headers
    try:
        await exchange.answer(await _counted(exchange, journey))
    finally:
        await admission.leave({})


async def _counted(exchange: Exchange, journey: Journey) -> dict[str, Any]:
    service = exchange.service
    call = journey.call
    recalled = Recalled([], call.request.get("input"))
    if needs_store(call.request):
        recalled = await service.operate(partial(recall, owner=exchange.owner.name, request=call.request))
    attempt = call.token_count(recalled)
    counted: dict[str, Any] = {"object": "response.input_tokens"}
    async with Attendance(exchange.receive) as attendance:
        try:
            async with aclosing(service.transport.batches(attempt, journey.timeout)) as batches:
                async for _ in batches:
                    pass  # a count has no events
            counted["input_tokens"] = attempt.input_tokens
        except BadRequestError as refusal:
            if refusal.code != "no_token_counter":
                raise
            counted |= {
                "input_tokens": estimate(recalled.put_into(call.request), recalled.history),
                "estimated": True,
            }
        except asyncio.CancelledError:
            if attendance.gone:
                raise
            raise server_stops() from None
    return counted


def estimate(request: Mapping[str, Any], history: Sequence[Item] = ()) -> int:
    """Return about how many tokens the input of a request has."""
    items = [*history, *canonical_input(request.get("input") or [])]
    return estimate_tokens(items, [request.get(name) for name in ("instructions", "tools", "text")])
