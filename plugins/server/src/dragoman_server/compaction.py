"""``POST /responses/compact``: a conversation's window, made short by the upstream, or by a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.compaction.attempt import COMPACTION_FIELDS
from dragoman.compaction.endpoint import compact as compact_window
from dragoman_server.bodies import check_fields
from dragoman_server.errands import attended
from dragoman_server.exchange import plain_headers

if TYPE_CHECKING:
    from dragoman_server.exchange import Exchange

__all__ = ["compact"]


async def compact(exchange: Exchange) -> None:
    """``POST /responses/compact``."""
    body = await exchange.body()
    service = exchange.service
    # A wrong model, or what is the operator's, is said first.
    service.journey({**body, "input": []}, exchange.owner)
    check_fields(body, COMPACTION_FIELDS)
    admission = service.admission(exchange.owner)
    with service.errand("compact", {"input": [], **body}, admission) as errand:
        try:
            async with attended(exchange, errand):
                await admission.admit(errand.journey, errand.request)
                exchange.standing = admission.headers
                window = await compact_window(errand, service.driver)
        finally:
            await admission.leave(errand.usage)
    exchange.journey = errand.journey
    cost = window["dragoman"]["cost"]
    await exchange.answer(window, 200, *plain_headers({"x-dragoman-cost": cost and cost["total"]}))
