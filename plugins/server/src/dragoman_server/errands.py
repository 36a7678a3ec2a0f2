"""Calls beside the responses (counts, compactions), while their callers are there."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from dragoman_server.attendance import Attendance
from dragoman_server.failures import caller_left, server_stops

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from dragoman.turns.errands import Errand
    from dragoman_server.exchange import Exchange

__all__ = ["attended"]


@asynccontextmanager
async def attended(exchange: Exchange, errand: Errand) -> AsyncGenerator[None]:
    """Let a block work on an errand as long as its caller is there.

    Raises:
        CancelledError: the caller has left.
        ServiceUnavailableError: the server stops.
    """
    async with Attendance(exchange.receive) as attendance:
        try:
            yield
        except asyncio.CancelledError:
            if not attendance.gone:
                raise server_stops() from None
            errand.error = caller_left()
            raise
