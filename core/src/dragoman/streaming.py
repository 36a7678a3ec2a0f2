"""Streams that callers read: typed events, and the final response."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Self

from dragoman.errors import APIError, StreamInterruptedError
from dragoman.models import parse_event, parse_response
from dragoman.structured import parsed_output

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from types import TracebackType

    from dragoman.calls import Call
    from dragoman.models import Response, ResponseStreamEvent
    from dragoman.session import Session
    from dragoman.transport import AsyncTransport, Transport
    from dragoman.types import Event

__all__ = ["AsyncResponseStream", "ResponseStream", "finished", "seconds_to_retry"]

_FIRST_WAIT = 0.5
_LONGEST_WAIT = 8.0
_LONGEST_RETRY_AFTER = 120.0


def seconds_to_retry(error: APIError, attempt: int, retries: int) -> float | None:
    """Return how long to wait before trying again; None where that is not allowed or cannot help.

    The upstream's own wish counts, up to two minutes; else the wait doubles, with jitter.
    """
    if attempt >= retries or not error.retryable:
        return None
    if error.retry_after is not None:
        return error.retry_after if error.retry_after <= _LONGEST_RETRY_AFTER else None
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0**attempt)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret


def finished(call: Call, session: Session) -> Response:
    """Return the response of a session that is over.

    Raises:
        APIError: the response failed; its `response` holds what had arrived.
    """
    if not session.closed:
        left = StreamInterruptedError("the stream was closed before its end", code="stream_interrupted")
        session.abort(left)
    response = parse_response(session.response)
    error = session.error
    if error is not None:
        error.response = response
        raise error
    if call.text_format is not None:
        response._output_parsed = parsed_output(response, call.text_format)
    return response


class ResponseStream:
    """The events of one response, as they come: iterate over it, best inside ``with``.

    A failure in mid-stream comes as an `error` and a `response.failed` event, then as an exception whose
    `response` holds what had arrived. Leaving the ``with`` block early closes the upstream connection.
    """

    def __init__(self, call: Call, transport: Transport) -> None:
        self._call = call
        self._transport = transport
        self._session: Session | None = None
        self._first: Event | None = None
        self._events: Generator[Event] | None = None
        self._response: Response | None = None

    def open(self) -> Self:
        """Send the request and wait until the upstream has accepted it.

        Raises:
            APIError: it was refused or could not be sent, also after the retries that the call allows.
        """
        attempt = 0
        while self._events is None:
            session = self._call.session()
            events = self._transport.events(session, self._call.timeout)
            try:
                self._first = next(events, None)
            except APIError as error:
                wait = seconds_to_retry(error, attempt, self._call.retries)
                if wait is None:
                    raise
                attempt += 1
                time.sleep(wait)
            else:
                self._session, self._events = session, events
        return self

    def __iter__(self) -> Self:
        """Return itself: a stream is read once."""
        return self

    def __next__(self) -> ResponseStreamEvent:
        """Return the next event."""
        event = self._next()
        if event is None:
            self._final()
            raise StopIteration
        return parse_event(event)

    def until_done(self) -> Self:
        """Read the rest of the events."""
        while self._next() is not None:
            pass
        self._final()
        return self

    def get_final_response(self) -> Response:
        """Return the whole response, reading what is left of the events first."""
        self.until_done()
        return self._final()

    def close(self) -> None:
        """Close the upstream connection."""
        if self._events is not None:
            self._events.close()

    def __enter__(self) -> Self:
        """Open it, where that has not happened yet."""
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the upstream connection."""
        self.close()

    def _next(self) -> Event | None:
        self.open()
        event, self._first = self._first, None
        return event if event is not None else next(self._events or iter(()), None)

    def _final(self) -> Response:
        if self._response is None:
            assert self._session is not None  # noqa: S101 - opened by whoever read its events
            self._response = finished(self._call, self._session)
        return self._response


class AsyncResponseStream:
    """The events of one response, as they come: ``async for``, best inside ``async with``.

    As ``ResponseStream`` in everything else; cancelling the task that reads closes the upstream connection.
    """

    def __init__(self, call: Call, transport: AsyncTransport) -> None:
        self._call = call
        self._transport = transport
        self._session: Session | None = None
        self._first: Event | None = None
        self._events: AsyncGenerator[Event] | None = None
        self._response: Response | None = None

    async def open(self) -> Self:
        """Send the request and wait until the upstream has accepted it.

        Raises:
            APIError: it was refused or could not be sent, also after the retries that the call allows.
        """
        attempt = 0
        while self._events is None:
            session = self._call.session()
            events = self._transport.events(session, self._call.timeout)
            try:
                self._first = await anext(events, None)
            except APIError as error:
                wait = seconds_to_retry(error, attempt, self._call.retries)
                if wait is None:
                    raise
                attempt += 1
                await asyncio.sleep(wait)
            else:
                self._session, self._events = session, events
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
        while await self._next() is not None:
            pass
        self._final()
        return self

    async def get_final_response(self) -> Response:
        """Return the whole response, reading what is left of the events first."""
        await self.until_done()
        return self._final()

    async def close(self) -> None:
        """Close the upstream connection."""
        if self._events is not None:
            await self._events.aclose()

    async def __aenter__(self) -> Self:
        """Open it, where that has not happened yet."""
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the upstream connection."""
        await self.close()

    async def _next(self) -> Event | None:
        await self.open()
        event, self._first = self._first, None
        if event is None and self._events is not None:
            event = await anext(self._events, None)
        return event

    def _final(self) -> Response:
        if self._response is None:
            assert self._session is not None  # noqa: S101 - opened by whoever read its events
            self._response = finished(self._call, self._session)
        return self._response
