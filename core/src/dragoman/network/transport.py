"""The only room that talks to the network: a sync and an async driver for one sans-I/O attempt.

Both drivers do the same steps; what differs is how they wait. Closing the generator, or cancelling the task
that reads it, closes the upstream connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import threading
import time
import weakref
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import httpx

from dragoman.attempts.secrecy import shown_url
from dragoman.errors import APIConnectionError, APIError, BadRequestError, StreamInterruptedError
from dragoman.network.connections import DROPPED, RESENDS, Connection
from dragoman.network.timeouts import Clock, LoopClock, Timeout, timeout_error

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Mapping

    from dragoman.attempts.attempt import Attempt
    from dragoman.events.batches import Batch
    from dragoman.hookspecs import HTTPRequest, LocalAnswer

__all__ = ["Answer", "AsyncTransport", "Transport", "check_headers"]

_LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=30.0)
_FAILURES = (APIConnectionError, httpx.HTTPError, httpx.StreamError, OSError)


class Transport:
    """Sends over ``httpx.Client``: its own, made at the first call, or the caller's."""

    def __init__(self, client: httpx.Client | None = None) -> None:
        self._given: httpx.Client | None = _checked(client, httpx.Client)
        self._own: httpx.Client | None = None
        self._lock = threading.Lock()

    def batches(self, attempt: Attempt, timeout: Timeout) -> Generator[Batch]:
        """Carry out the attempt; yield its events as they come, those of one chunk together.

        Raises:
            APIError: the request was refused. A failure after the upstream had accepted ends the events
                instead, and stands in ``session.error``.
        """
        http = attempt.prepare()
        clock = Clock(timeout)
        try:
            http = attempt.authorize(http, attempt.load_credentials())
            local = attempt.answer_locally(http)
            with self._send(http, clock) if local is None else _answered_here(local, clock) as answer:
                events = attempt.accept(answer.status, answer.headers)
                if events:
                    clock.pause()
                    yield events
                    clock.resume()
                for chunk in answer.chunks:
                    events = attempt.feed(chunk)
                    if attempt.progressed:
                        clock.progress(finishing=attempt.finishing)
                    if events:
                        clock.pause()
                        yield events
                        clock.resume()
                    if attempt.ended:
                        break
        except _FAILURES as problem:
            events = _broken_off(problem, attempt, clock)
        else:
            events = attempt.close()
        if events:
            yield events

    def close(self) -> None:
        """Close the connections of the transport's own client; the caller's own is the caller's to close."""
        with self._lock:
            client, self._own = self._own, None
        if client is not None:
            client.close()

    def _client(self) -> httpx.Client:
        if self._given is not None:
            return self._given
        with self._lock:
            if self._own is None:
                self._own = httpx.Client(limits=_LIMITS, cookies=_no_cookies(), verify=_tls())
                weakref.finalize(self, self._own.close)
            return self._own

    @contextlib.contextmanager
    def _send(self, http: HTTPRequest, clock: Clock) -> Iterator[Answer]:
        client = self._client()
        response = _sent(client, http, clock)
        try:
            timed = _time_reads(response, clock)
            chunks = response.iter_bytes()
            yield Answer(response.status_code, _headers(response), chunks)
            if timed:
                clock.drain()
                with contextlib.suppress(*_FAILURES):
                    for _ in chunks:
                        pass
        finally:
            response.close()


class AsyncTransport:
    """Sends over ``httpx.AsyncClient``: one of its own for each event loop, or the caller's.

    A subclass may send over something else: it overrides ``send`` and ``close``, and raises what breaks as
    ``APIConnectionError`` (``StreamInterruptedError`` once the answer has begun).
    """

    def __init__(self, client: httpx.AsyncClient | None = None) -> None:
        self._given: httpx.AsyncClient | None = _checked(client, httpx.AsyncClient)
        # Connections belong to the loop that opened them, so every loop has a client of its own.
        self._own: dict[asyncio.AbstractEventLoop, tuple[httpx.AsyncClient, AsyncGenerator[None]]] = {}

    async def batches(self, attempt: Attempt, timeout: Timeout) -> AsyncGenerator[Batch]:
        """Carry out the attempt; yield its events as they come (see ``Transport.batches``)."""
        http = attempt.prepare()
        clock = LoopClock(timeout)
        try:
            credentials = attempt.cached_credentials()
            if credentials is None and attempt.loads_credentials:
                with clock:
                    credentials = await asyncio.to_thread(attempt.load_credentials)
            http = attempt.authorize(http, credentials)
            local = attempt.answer_locally(http)
            async with self.send(http, clock) if local is None else _aanswered_here(local) as answer:
                events = attempt.accept(answer.status, answer.headers)
                if events:
                    clock.pause()
                    yield events
                    clock.resume()
                while not attempt.ended:
                    with clock:
                        chunk = await anext(answer.chunks, None)
                    if chunk is None:
                        break
                    events = attempt.feed(chunk)
                    if attempt.progressed:
                        clock.progress(finishing=attempt.finishing)
                    if events:
                        clock.pause()
                        yield events
                        clock.resume()
        except _FAILURES as problem:
            events = _broken_off(problem, attempt, clock)
        else:
            events = attempt.close()
        finally:
            clock.stop()
        if events:
            yield events

    async def close(self) -> None:
        """Close the connections of this loop's own client."""
        _, keeper = self._own.pop(asyncio.get_running_loop(), (None, None))
        if keeper is not None:
            await keeper.aclose()

    async def _client(self) -> httpx.AsyncClient:
        if self._given is not None:
            return self._given
        loop = asyncio.get_running_loop()
        if loop not in self._own:
            for gone in [known for known in list(self._own) if known.is_closed()]:
                self._own.pop(gone, None)
            client = httpx.AsyncClient(limits=_LIMITS, cookies=_no_cookies(), verify=_tls())
            keeper = _keeper(client)
            self._own[loop] = client, keeper
            await anext(keeper)
        return self._own[loop][0]

    @contextlib.asynccontextmanager
    async def send(self, http: HTTPRequest, clock: LoopClock) -> AsyncIterator[Answer]:
        """Send a request; the answer's chunks are read inside the block, and leaving it ends the request.

        Waits are inside ``with clock:``, one after the other; `batches` does so for the chunks.
        """
        client = await self._client()
        with clock:
            response = await _asent(client, http, clock)
        try:
            body = cast("AsyncGenerator[bytes]", response.aiter_bytes())
            async with contextlib.aclosing(body) as chunks:
                yield Answer(response.status_code, _headers(response), chunks)
                clock.drain()
                with contextlib.suppress(*_FAILURES), clock:
                    async for _ in chunks:
                        pass
        finally:
            await response.aclose()


class Answer(NamedTuple):
    """Status, headers (names in lower case) and the chunks of a body, wherever they come from."""

    status: int
    headers: Mapping[str, str]
    chunks: Any


def _checked(client: Any, kind: type[Any]) -> Any:
    if client is not None and not isinstance(client, kind):
        raise BadRequestError(
            f"http_client must be an httpx.{kind.__name__} here, not {type(client).__name__}",
            param="http_client",
        )
    return client


# ---- requests ---------------------------------------------------------------------------------------


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse headers that HTTP does not allow, without showing their values, which may be keys.

    Raises:
        BadRequestError: names the header.
    """
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable() and value == value.strip()):
            raise BadRequestError(
                f"the header {name} holds what HTTP does not allow: a line break, a letter beyond ASCII, "
                "or a space at its beginning or end",
                param=name,
            )


def _sent(client: httpx.Client, http: HTTPRequest, clock: Clock) -> httpx.Response:
    for left in reversed(range(RESENDS + 1)):
        connection = Connection()
        request = _request(client, http, clock, connection.saw)
        try:
            return client.send(request, stream=True, follow_redirects=False)
        except DROPPED:
            if not left or not connection.reused:
                raise
    raise AssertionError("the last one is returned or raised")


async def _asent(client: httpx.AsyncClient, http: HTTPRequest, clock: Clock) -> httpx.Response:
    for left in reversed(range(RESENDS + 1)):
        connection = Connection()
        request = _request(client, http, clock, connection.asaw)
        try:
            return await client.send(request, stream=True, follow_redirects=False)
        except DROPPED:
            if not left or not connection.reused:
                raise
    raise AssertionError("the last one is returned or raised")


def _request(
    client: httpx.Client | httpx.AsyncClient, http: HTTPRequest, clock: Clock, trace: Callable[..., Any]
) -> httpx.Request:
    check_headers(http.headers)
    remaining = clock.remaining()
    connect = clock.timeout.connect
    if connect is None or (remaining is not None and remaining < connect):
        connect = remaining
    if isinstance(client, httpx.AsyncClient):
        remaining = None  # the event loop keeps the time
    try:
        return client.build_request(
            http.method,
            http.url,
            headers=dict(http.headers),
            content=http.body or None,
            timeout=httpx.Timeout(remaining, connect=connect),
            extensions={"trace": trace},
        )
    except (httpx.InvalidURL, ValueError) as problem:
        raise BadRequestError(
            f"cannot send to {shown_url(http.url)!r}: {problem}", param="api_base"
        ) from problem


def _headers(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _no_cookies() -> CookieJar:
    """Return a jar that keeps nothing: what an upstream tells one caller is not for the next."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))


@functools.cache
def _tls() -> ssl.SSLContext:
    """Return the one context of all clients: loading the certificates takes longer than all the rest."""
    return httpx.create_ssl_context()


# ---- waiting ----------------------------------------------------------------------------------------


def _time_reads(response: httpx.Response, clock: Clock) -> bool:
    """Let each blocking read of the body wait until the clock's next limit; tell whether that can be had.

    The clock's limits move with every event, but httpx takes one number for all reads of a body. It hands
    that number unseen to the connection's own ``read``; so the clock is put in its place, and ``read``
    taught to ask it (for good: connections are reused). A transport without such a connection keeps the
    number.
    """
    stream = response.extensions.get("network_stream")
    limits = response.request.extensions.get("timeout")
    if stream is None or limits is None:
        return False
    if "read" not in vars(stream):
        stream.read = functools.partial(_timed_read, stream.read)
    limits["read"] = clock
    return True


def _timed_read(read: Any, max_bytes: int, timeout: Clock | float | None = None) -> bytes:
    data: bytes = read(max_bytes, timeout=timeout.remaining() if isinstance(timeout, Clock) else timeout)
    return data


async def _keeper(client: httpx.AsyncClient) -> AsyncGenerator[None]:
    """Close the client with its loop: ``asyncio.run`` ends generators that are still open, then the loop."""
    try:
        yield
    finally:
        await client.aclose()


# ---- failures ---------------------------------------------------------------------------------------


def _broken_off(problem: Exception, attempt: Attempt, clock: Clock) -> Batch:
    """Return the events that end a response whose connection failed.

    Raises:
        APIError: there is no response, because the request was refused or did not get through.
    """
    if attempt.accepted and not attempt.finishing:
        return attempt.abort(_error(problem, clock, accepted=True))
    if attempt.answered:
        return attempt.close()  # the answer is whole, or a refusal: the rest of the bytes says nothing more
    error = _error(problem, clock, accepted=False)
    error.provider, error.model = attempt.provider.name, attempt.target.model
    raise error from problem


def _error(problem: Exception, clock: Clock, *, accepted: bool) -> APIError:
    """Return what httpx raised as one of the error tree."""
    what = f"{type(problem).__name__}: {problem}".rstrip(": ")
    match problem:
        case APIConnectionError():
            return problem
        case httpx.ConnectTimeout():
            try:
                clock.remaining()
            except APIConnectionError as passed:
                return passed
            return timeout_error("connect", clock.timeout.connect)
        case httpx.TimeoutException() | TimeoutError():
            return clock.error()
        case httpx.UnsupportedProtocol() | httpx.LocalProtocolError():
            return BadRequestError(f"the request cannot be sent: {what}", param="api_base")
    if accepted:
        return StreamInterruptedError(f"the connection broke: {what}", code="stream_interrupted")
    return APIConnectionError(f"no answer from the upstream: {what}", code="connection_error")


# ---- answers of this process ------------------------------------------------------------------------


@contextlib.contextmanager
def _answered_here(local: LocalAnswer, clock: Clock) -> Iterator[Answer]:
    def chunks() -> Iterator[bytes]:
        for chunk in local.chunks:
            if isinstance(chunk, bytes):
                yield chunk
            else:
                time.sleep(min(chunk, clock.remaining() or math.inf))
                clock.remaining()

    yield Answer(local.status, local.headers, chunks())


@contextlib.asynccontextmanager
async def _aanswered_here(local: LocalAnswer) -> AsyncIterator[Answer]:
    async def chunks() -> AsyncGenerator[bytes]:
        for chunk in local.chunks:
            if isinstance(chunk, bytes):
                yield chunk
            else:
                await asyncio.sleep(chunk)

    async with contextlib.aclosing(chunks()) as pieces:
        yield Answer(local.status, local.headers, pieces)
