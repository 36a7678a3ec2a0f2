"""``POST /responses/compact``: a conversation's window, made short by the upstream, or by a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.compaction_attempts import COMPACTION_FIELDS
from dragoman.compactions import compact as compact_window
from dragoman_server.bodies import check_fields
from dragoman_server.errands import attended
from dragoman_server.responses import told_of

if TYPE_CHECKING:
    from dragoman_server.exchange import Exchange

__all__ = ["compact"]


async def compact(exchange: Exchange) -> None:
    """``POST /responses/compact``."""
    body = await exchange.body()
    service = exchange.service
    service.journey({**body, "input": []})  # a wrong model, or what is the operator's, is said first
    check_fields(body, COMPACTION_FIELDS)
    with service.errand("compact", {"input": [], **body}, exchange.owner) as errand:
        async with attended(exchange, errand):
            window = await compact_window(errand, service.driver)
    await exchange.answer(window, 200, *told_of(window["dragoman"]))
