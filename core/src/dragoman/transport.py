"""The only room that talks to the network: a sync and an async driver for one sans-I/O session.

Both drivers do the same steps; what differs is how they wait. Closing the generator, or cancelling the task
that reads it, closes the upstream connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import httpx

from dragoman.errors import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    BadRequestError,
    StreamInterruptedError,
)
from dragoman.timeouts import Clock, Timeout

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator

    from dragoman.hookspecs import HTTPRequest, LocalAnswer
    from dragoman.session import Session
    from dragoman.types import Event

__all__ = ["AsyncTransport", "Transport"]

_LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=30.0)
_PAUSED_POLL = 0.05
_DRAIN = 0.25  # seconds to wait for a finished answer's last bytes, so that its connection can be reused


class Transport:
    """Sends over ``httpx.Client``: its own, made at the first call, or the caller's."""

    def __init__(self, client: httpx.Client | None = None) -> None:
        self._given = client
        self._own: httpx.Client | None = None
        self._lock = threading.Lock()

    def events(self, session: Session, timeout: Timeout) -> Generator[Event]:
        """Carry out the attempt; yield its events as they come.

        Raises:
            APIError: the request was refused. A failure after the upstream had accepted ends the events
                instead, and stands in ``session.error``.
        """
        http = session.prepare()
        provider, target = session.provider, session.target
        credentials = provider.load_credentials(target) if provider.loads_credentials else None
        http = session.authorized(provider.authorize(http, target, credentials))
        clock = Clock(timeout)
        local = provider.answer_locally(http, target)
        accepted = False
        try:
            with _answer_here(local, clock) if local else self._send(http, timeout, clock) as answer:
                opening = session.accept(answer.status, answer.headers)
                accepted = session.accepted
                yield from opening
                for chunk in answer.chunks:
                    events = session.feed(chunk)
                    clock.pause()
                    yield from events
                    if session.ended:
                        break
                    clock.resume(progressed=session.progressed, finishing=session.finishing)
                    if clock.expired():
                        raise clock.error()
        except APIConnectionError as problem:
            if not _ends_well(problem, session):
                if not accepted:
                    raise _addressed(problem, session) from problem.__cause__
                yield from session.abort(problem)
                return
        yield from session.close()

    def close(self) -> None:
        """Close the connections of the transport's own client; the caller's own is the caller's to close."""
        if self._own is not None:
            self._own.close()
            self._own = None

    def _client(self) -> httpx.Client:
        if self._given is not None:
            return self._given
        with self._lock:
            if self._own is None:
                self._own = httpx.Client(limits=_LIMITS, follow_redirects=False)
            return self._own

    @contextlib.contextmanager
    def _send(self, http: HTTPRequest, timeout: Timeout, clock: Clock) -> Iterator[_Answer]:
        client = self._client()
        request = _build(client, http, timeout, clock)
        with _translated(
            clock, lambda: response is not None, lambda: watchdog is not None and watchdog.fired
        ):
            response: httpx.Response | None = None
            watchdog: _Watchdog | None = None
            response = client.send(request, stream=True)
            try:
                watchdog = _Watchdog.over(response, clock)
                yield _Answer(response.status_code, _headers(response), response.iter_bytes())
            finally:
                if watchdog is not None:
                    watchdog.stop()
                response.close()


class AsyncTransport:
    """Sends over ``httpx.AsyncClient``: one of its own for each event loop, or the caller's."""

    def __init__(self, client: httpx.AsyncClient | None = None) -> None:
        self._given = client
        # Connections belong to the loop that opened them; a closed loop takes its client with it.
        self._own: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()

    async def events(self, session: Session, timeout: Timeout) -> AsyncGenerator[Event]:
        """Carry out the attempt; yield its events as they come (see ``Transport.events``)."""
        http = session.prepare()
        provider, target = session.provider, session.target
        credentials = None
        if provider.loads_credentials:
            credentials = provider.cached_credentials(target)
            if credentials is None:
                credentials = await asyncio.to_thread(provider.load_credentials, target)
        http = session.authorized(provider.authorize(http, target, credentials))
        clock = Clock(timeout)
        local = provider.answer_locally(http, target)
        accepted = False
        try:
            async with _aanswer_here(local, clock) if local else self._send(http, timeout, clock) as answer:
                opening = session.accept(answer.status, answer.headers)
                accepted = session.accepted
                for event in opening:
                    yield event
                chunks = aiter(answer.chunks)
                while True:
                    async with _deadline(clock):
                        chunk = await anext(chunks, None)
                    if chunk is None:
                        break
                    for event in session.feed(chunk):
                        yield event
                    if session.ended:
                        await _drain(chunks)
                        break
                    clock.resume(progressed=session.progressed, finishing=session.finishing)
        except APIConnectionError as problem:
            if not _ends_well(problem, session):
                if not accepted:
                    raise _addressed(problem, session) from problem.__cause__
                for event in session.abort(problem):
                    yield event
                return
        for event in session.close():
            yield event

    async def close(self) -> None:
        """Close the connections of this loop's own client."""
        client = self._own.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    def _client(self) -> httpx.AsyncClient:
        if self._given is not None:
            return self._given
        loop = asyncio.get_running_loop()
        client = self._own.get(loop)
        if client is None:
            client = self._own[loop] = httpx.AsyncClient(limits=_LIMITS, follow_redirects=False)
        return client

    @contextlib.asynccontextmanager
    async def _send(self, http: HTTPRequest, timeout: Timeout, clock: Clock) -> AsyncIterator[_Answer]:
        client = self._client()
        request = _build(client, http, timeout, clock)
        response: httpx.Response | None = None
        with _translated(clock, lambda: response is not None):
            async with _deadline(clock):
                response = await client.send(request, stream=True)
            try:
                yield _Answer(response.status_code, _headers(response), response.aiter_bytes())
            finally:
                await response.aclose()


class _Answer:
    """Status, headers and the chunks of a body, wherever they come from."""

    __slots__ = ("chunks", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], chunks: Any) -> None:
        self.status = status
        self.headers = headers
        self.chunks = chunks


def _headers(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _build(client: Any, http: HTTPRequest, timeout: Timeout, clock: Clock) -> httpx.Request:
    # The clock decides; httpx's own limits are the net below it where no socket can be watched.
    wait = clock.remaining()
    limits = httpx.Timeout(connect=_least(timeout.connect, wait), read=None, write=wait, pool=wait)
    if isinstance(client, httpx.Client):
        limits = httpx.Timeout(connect=limits.connect, read=wait, write=wait, pool=wait)
    try:
        request: httpx.Request = client.build_request(
            http.method, http.url, headers=dict(http.headers), content=http.body or None, timeout=limits
        )
    except (httpx.InvalidURL, ValueError) as problem:
        raise BadRequestError(f"cannot send to {http.url!r}: {problem}", param="api_base") from problem
    return request


def _least(*limits: float | None) -> float | None:
    return min((limit for limit in limits if limit is not None), default=None)


@contextlib.contextmanager
def _translated(
    clock: Clock, accepted: Callable[[], bool], timed_out: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Turn what httpx raises into the error tree."""
    try:
        yield
    except httpx.ConnectTimeout as problem:
        raise APITimeoutError(f"no connection within the limit (timeout.connect): {problem}") from problem
    except httpx.TimeoutException as problem:
        raise clock.error() from problem
    except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL) as problem:
        raise BadRequestError(f"the request cannot be sent: {problem}", param="api_base") from problem
    except (httpx.HTTPError, httpx.StreamError, OSError) as problem:
        if timed_out():
            raise clock.error() from problem
        what = f"{type(problem).__name__}: {problem}".rstrip(": ")
        if accepted():
            raise StreamInterruptedError(
                f"the connection broke: {what}", code="stream_interrupted"
            ) from problem
        raise APIConnectionError(
            f"no connection to the upstream: {what}", code="connection_error"
        ) from problem


def _ends_well(problem: APIError, session: Session) -> bool:
    """Tell whether a silent connection only kept us waiting for its end: the answer itself is whole."""
    return isinstance(problem, APITimeoutError) and session.finishing


def _addressed(problem: APIError, session: Session) -> APIError:
    problem.provider, problem.model = session.provider.name, session.target.model
    return problem


@contextlib.asynccontextmanager
async def _deadline(clock: Clock) -> AsyncIterator[None]:
    """Bound one wait by the clock; outside cancellation passes through untouched."""
    remaining = clock.remaining()
    if remaining is None:
        yield
        return
    try:
        async with asyncio.timeout(remaining):
            yield
    except TimeoutError as problem:
        raise clock.error() from problem


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read a finished answer to its end, briefly: only then does its connection serve the next call."""
    with contextlib.suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(_DRAIN):
            async for _ in chunks:
                pass


class _Watchdog:
    """Ends a blocking read when the clock's deadline passes, by shutting its socket down.

    A sync read waits for bytes as long as the socket lets it, and httpx fixes that limit once for the whole
    body; the limits here move with every event. One thread for each call in flight, asleep nearly always.
    """

    def __init__(self, connection: socket.socket, clock: Clock) -> None:
        self.fired = False
        self._socket = connection
        self._clock = clock
        self._stopped = False
        self._wake = threading.Event()
        clock.on_earlier = self._wake.set
        threading.Thread(target=self._watch, name="dragoman-watchdog", daemon=True).start()

    @classmethod
    def over(cls, response: httpx.Response, clock: Clock) -> _Watchdog | None:
        """Watch the connection of a response; None where there is no socket to be had or no limit to keep."""
        stream = response.extensions.get("network_stream")
        connection = stream.get_extra_info("socket") if stream is not None else None
        if clock.deadline is None or not isinstance(connection, socket.socket):
            return None
        return cls(connection, clock)

    def stop(self) -> None:
        """Let go of the connection."""
        self._stopped = True
        self._wake.set()

    def _watch(self) -> None:
        while not self._stopped:
            remaining = self._clock.remaining()
            # A deadline that passes while the caller is at work does not count: look again a little later.
            self._wake.wait(_PAUSED_POLL if remaining == 0 else remaining)
            self._wake.clear()
            if not self._stopped and self._clock.expired():
                self.fired = True
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
                return


@contextlib.contextmanager
def _answer_here(local: LocalAnswer, clock: Clock) -> Iterator[_Answer]:
    def chunks() -> Iterator[bytes]:
        for chunk in local.chunks:
            if isinstance(chunk, bytes):
                yield chunk
            else:
                remaining = clock.remaining()
                time.sleep(chunk if remaining is None else min(chunk, remaining))
                if clock.expired():
                    raise clock.error()

    yield _Answer(local.status, dict(local.headers), chunks())


@contextlib.asynccontextmanager
async def _aanswer_here(local: LocalAnswer, clock: Clock) -> AsyncIterator[_Answer]:  # noqa: ARG001 - as above
    async def chunks() -> AsyncIterator[bytes]:
        for chunk in local.chunks:
            if isinstance(chunk, bytes):
                yield chunk
            else:
                await asyncio.sleep(chunk)

    yield _Answer(local.status, dict(local.headers), chunks())
