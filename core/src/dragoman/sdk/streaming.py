"""Streams that callers read: typed events, and the final response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from dragoman.errors import StreamInterruptedError
from dragoman.models import parse_event, parse_response
from dragoman.network.drivers import at_once
from dragoman.sdk.structured import parsed_output

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from types import TracebackType

    from dragoman.models import Response, ResponseStreamEvent
    from dragoman.turns.turn import Turn
    from dragoman.types import Event

__all__ = ["AsyncResponseStream", "ResponseStream", "finished"]


def finished(turn: Turn) -> Response:
    """Return the response of a turn whose events have been read.

    Raises:
        APIError: the response failed; its `response` holds what had arrived.
    """
    if turn.response is None:
        assert turn.error is not None  # noqa: S101 - an interrupted turn has one
        raise turn.error
    response = parse_response(turn.response)
    if turn.error is not None:
        turn.error.response = response
        raise turn.error
    text_format = turn.journey.call.text_format
    if text_format is not None:
        response._output_parsed = parsed_output(response, text_format)
    return response


class _Reading:
    """What both kinds of stream know: the turn, and how far it has been read."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._first: Event | None = None
        self._events: AsyncGenerator[Event] | None = None
        self._response: Response | None = None

    async def _opened(self) -> None:
        if self._events is None:
            events = self._turn.events()
            self._first = await self._read(events)
            self._events = events

    async def _next(self) -> Event | None:
        await self._opened()
        event, self._first = self._first, None
        if event is None and self._events is not None:
            event = await self._read(self._events)
        return event

    async def _read(self, events: AsyncGenerator[Event]) -> Event | None:
        try:
            return await anext(events, None)
        except Exception:
            raise
        except BaseException:  # cancelled, interrupted
            await self._left()
            raise

    async def _left(self) -> None:
        if not self._turn.over:
            self._turn.interrupt(
                StreamInterruptedError("the stream was closed before its end", code="stream_interrupted")
            )
        await self._turn.settle()

    async def _rest(self) -> None:
        while await self._next() is not None:
            pass

    async def _leave(self) -> None:
        if self._events is not None:
            await self._events.aclose()
            await self._left()

    def _final(self) -> Response:
        if self._response is None:
            self._response = finished(self._turn)
        return self._response


class ResponseStream(_Reading):
    """The events of one response, as they come: iterate over it, best inside ``with``.

    A failure in mid-stream comes as an `error` and a `response.failed` event, then as an exception whose
    `response` holds what had arrived. Leaving the ``with`` block early closes the upstream connection.
    """

    def open(self) -> Self:
        """Send the request and wait until the upstream has accepted it.

        Raises:
            APIError: it was refused or could not be sent, also after the retries that the call allows.
        """
        at_once(self._opened())
        return self

    def __iter__(self) -> Self:
        """Return itself: a stream is read once."""
        return self

    def __next__(self) -> ResponseStreamEvent:
        """Return the next event."""
        event = at_once(self._next())
        if event is None:
            self._final()
            raise StopIteration
        return parse_event(event)

    def until_done(self) -> Self:
        """Read the rest of the events."""
        at_once(self._rest())
        self._final()
        return self

    def get_final_response(self) -> Response:
        """Return the whole response, reading what is left of the events first."""
        self.until_done()
        return self._final()

    def close(self) -> None:
        """Close the upstream connection."""
        at_once(self._leave())

    def __enter__(self) -> Self:
        """Open it, where that has not happened yet."""
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the upstream connection."""
        self.close()


class AsyncResponseStream(_Reading):
    """The events of one response, as they come: ``async for``, best inside ``async with``.

    As ``ResponseStream`` in everything else; cancelling the task that reads closes the upstream connection.
    """

    async def open(self) -> Self:
        """Send the request and wait until the upstream has accepted it.

        Raises:
            APIError: it was refused or could not be sent, also after the retries that the call allows.
        """
        await self._opened()
        return self

    def __aiter__(self) -> Self:
        """Return itself: a stream is read once."""
        return self

    async def __anext__(self) -> ResponseStreamEvent:
        """Return the next event."""
        event = await self._next()
        if event is None:
            self._final()
            raise StopAsyncIteration
        return parse_event(event)

    async def until_done(self) -> Self:
        """Read the rest of the events."""
        await self._rest()
        self._final()
        return self

    async def get_final_response(self) -> Response:
        """Return the whole response, reading what is left of the events first."""
        await self.until_done()
        return self._final()

    async def close(self) -> None:
        """Close the upstream connection."""
        await self._leave()

    async def __aenter__(self) -> Self:
        """Open it, where that has not happened yet."""
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the upstream connection."""
        await self.close()
