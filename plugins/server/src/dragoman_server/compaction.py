"""``POST /responses/compact``: a conversation's window, made short by the upstream, or by a summary."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from dragoman.compaction_attempts import COMPACTION_FIELDS
from dragoman.costs import price_of, use_of
from dragoman.ledger import picodollars
from dragoman.state import LedgerEntry
from dragoman_server.attendance import Attendance
from dragoman_server.bodies import check_fields
from dragoman_server.failures import server_stops

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.routing import Journey
    from dragoman_server.exchange import Exchange

__all__ = ["compact", "entry_of_window"]


async def compact(exchange: Exchange) -> None:
    """``POST /responses/compact``."""
    body = await exchange.body()
    service = exchange.service
    service.journey(
        {**body, "input": []}, exchange.owner
    )  # a wrong model, or what is the operator's, is said first
    check_fields(body, COMPACTION_FIELDS)
    admission = service.admission(exchange.owner)
    async with Attendance(exchange.receive) as attendance:
        try:
            window = await service.compact({"input": [], **body}, admission)
        except asyncio.CancelledError:
            if attendance.gone:
                raise
            raise server_stops() from None
    exchange.standing = admission.headers
    await exchange.answer(window)


def entry_of_window(window: Mapping[str, Any], journey: Journey, owner: str, began: float) -> LedgerEntry:
    """Return what a compaction took, for the ledger; `began` is when, in Unix time."""
    call, usage, now = journey.call, window["usage"], time.time()
    cost, _ = price_of(use_of(window, target=call.target, prices=journey.deployment.prices or None))
    return LedgerEntry(
        id=window["id"],
        at=now,
        owner=owner,
        asked=journey.asked,
        provider=call.target.provider,
        model=call.target.model,
        tags=journey.tags,
        outcome="completed",
        input_tokens=usage["input_tokens"],
        cached_tokens=usage["input_tokens_details"]["cached_tokens"],
        output_tokens=usage["output_tokens"],
        reasoning_tokens=usage["output_tokens_details"]["reasoning_tokens"],
        cost=0 if call.mocked else picodollars(cost),
        duration=now - began,
    )
