"""Events as server-sent events: the grace before they begin, comments while nothing comes, the end."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from pydantic_core import to_json

from dragoman.events.batches import RawEvents
from dragoman_server.attendance import Attendance
from dragoman_server.failures import abandon, as_api_error, caller_left, server_stops

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from dragoman.events.batches import Batch
    from dragoman.turns.turn import Turn
    from dragoman.types import Event
    from dragoman_server.exchange import Exchange

__all__ = ["stream_events", "stream_turn"]

_HEADERS = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # nginx would collect events otherwise
)
_COMMENT = b": keep-alive\n\n"
_DONE = b"data: [DONE]\n\n"


class _EventStream:
    """The answer to one caller."""

    told: int | None = None
    """The number of the last event."""

    def __init__(self, exchange: Exchange, announce: Callable[[], Event] | None = None) -> None:
        self.begun = False
        self._exchange = exchange
        self._announce = announce
        self._opening = asyncio.Lock()
        self._silent_since: int | None = None

    async def tell(self, batch: Batch) -> None:
        """Send events, in one write."""
        if not batch:
            return
        if not self.begun:
            await self._begin(early=False)
        last = batch[-1]
        self.told = last.last_number if isinstance(last, RawEvents) else last["sequence_number"]
        body = b"".join(map(_written, batch))
        await self._exchange.send({"type": "http.response.body", "body": body, "more_body": True})

    async def alarm(self) -> float:
        """Begin when the grace is over; send a comment where nothing was told since the last alarm."""
        period = self._exchange.service.limits.keep_alive
        if not self.begun:
            await self._begin(early=True)
        elif self.told == self._silent_since:
            await self._exchange.send({"type": "http.response.body", "body": _COMMENT, "more_body": True})
        self._silent_since = self.told
        return period

    async def end(self) -> None:
        """Send the end mark."""
        await self._exchange.send({"type": "http.response.body", "body": _DONE})

    async def _begin(self, *, early: bool) -> None:
        async with self._opening:
            if self.begun:
                return
            await self._exchange.start(200, *_HEADERS)
            if early:
                body = _COMMENT
                if self._announce is not None:
                    body, self.told = _written(self._announce()), 0
                await self._exchange.send({"type": "http.response.body", "body": body, "more_body": True})
            self.begun = True


def _written(told: Event | RawEvents) -> bytes:
    if isinstance(told, RawEvents):
        return told.written
    return b"event: %b\ndata: %b\n\n" % (told["type"].encode(), to_json(told))


async def stream_turn(exchange: Exchange, turn: Turn) -> None:
    """Carry out a turn and send its events; the caller's leaving ends it.

    Raises:
        APIError: it failed before anything was sent.
    """
    stream = _EventStream(exchange, turn.announce)
    grace = exchange.service.limits.grace
    async with Attendance(exchange.receive, delay=grace, alarm=stream.alarm) as attendance:
        last: Sequence[Event] = ()
        try:
            async with aclosing(turn.batches()) as batches:
                async for batch in batches:
                    await stream.tell(batch)
        except asyncio.CancelledError:
            problem = caller_left() if attendance.gone else server_stops()
            last = await abandon(turn, problem)
            if attendance.gone:
                return
            if not exchange.started:
                raise problem from None
        except Exception as failure:
            if not exchange.started:
                raise
            problem = as_api_error(failure)
            last = await abandon(turn, problem)
        await stream.tell(last)
        await stream.end()


async def stream_events(exchange: Exchange, events: AsyncGenerator[Event]) -> None:
    """Send events that go on whether or not somebody listens: of a background response.

    Raises:
        APIError: there are none.
    """
    stream = _EventStream(exchange)
    grace = exchange.service.limits.grace
    async with Attendance(exchange.receive, delay=grace, alarm=stream.alarm) as attendance:
        try:
            async with aclosing(events):
                async for event in events:
                    await stream.tell((event,))
        except asyncio.CancelledError:
            if attendance.gone or exchange.started:
                return  # an answer without its end: whoever still listens comes back for the rest
            raise server_stops() from None
        if not stream.begun:
            await stream.alarm()
        await stream.end()
