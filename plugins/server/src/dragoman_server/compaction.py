"""``POST /responses/compact``: a conversation's window, made short by the upstream, or by a summary."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dragoman.compaction_attempts import COMPACTION_FIELDS
from dragoman_server.attendance import Attendance
from dragoman_server.bodies import check_fields
from dragoman_server.failures import server_stops

if TYPE_CHECKING:
    from dragoman_server.exchange import Exchange

__all__ = ["compact"]


async def compact(exchange: Exchange) -> None:
    """``POST /responses/compact``."""
    body = await exchange.body()
    service = exchange.service
    service.journey({**body, "input": []})  # a wrong model, or what is the operator's, is said first
    check_fields(body, COMPACTION_FIELDS)
    async with Attendance(exchange.receive) as attendance:
        try:
            window = await service.compact({"input": [], **body}, exchange.owner)
        except asyncio.CancelledError:
            if attendance.gone:
                raise
            raise server_stops() from None
    await exchange.answer(window)
