"""The bytes between the server and its upstreams, over aiohttp: several times as fast as over httpx."""

from __future__ import annotations

import contextlib
from base64 import b64encode
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies
from weakref import WeakSet

import aiohttp
import httpx
from yarl import URL

from dragoman.attempts.secrecy import shown_url
from dragoman.errors import APIConnectionError, BadRequestError, StreamInterruptedError
from dragoman.network.connections import RESENDS
from dragoman.network.timeouts import timeout_error
from dragoman.network.transport import Answer, AsyncTransport, check_headers

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping

    from aiohttp.connector import Connection

    from dragoman.hookspecs import HTTPRequest
    from dragoman.network.timeouts import LoopClock

__all__ = ["AiohttpTransport"]

_CONNECTIONS = 1000
_KEPT_ALIVE = 30.0  # seconds
_reused: ContextVar[bool] = ContextVar("dragoman_connection_reused", default=False)
"""Whether the connection of this task's request has served another before."""


class AiohttpTransport(AsyncTransport):
    """Sends over one ``aiohttp.ClientSession``, made on the event loop that sends first."""

    def __init__(self) -> None:
        super().__init__()
        self._session: aiohttp.ClientSession | None = None

    @contextlib.asynccontextmanager
    async def send(self, http: HTTPRequest, clock: LoopClock) -> AsyncIterator[Answer]:
        """Send a request (see ``AsyncTransport.send``)."""
        check_headers(http.headers)
        begun = False
        try:
            url, sent = _with_basic_authorization(URL(http.url, encoded=True), http.headers)
            with clock:
                response = await self._sent(http, url, sent, clock)
            begun = True
            try:
                headers = {name.lower(): value for name, value in response.headers.items()}
                chunks = response.content.iter_any()
                yield Answer(response.status, headers, chunks)
                # What follows the end of an answer is read, so that the connection can be used again.
                if response.content.at_eof():
                    return
                clock.drain()
                with contextlib.suppress(aiohttp.ClientError, OSError), clock:
                    async for _ in chunks:
                        pass
            finally:
                response.close()
        except aiohttp.InvalidURL as problem:
            raise BadRequestError(f"cannot send to {shown_url(http.url)!r}", param="api_base") from problem
        except aiohttp.ServerTimeoutError as problem:
            raise timeout_error("connect", clock.timeout.connect) from problem
        except aiohttp.ClientError as problem:
            what = f"{type(problem).__name__}: {problem}".rstrip(": ")
            if begun:
                raise StreamInterruptedError(
                    f"the connection broke: {what}", code="stream_interrupted"
                ) from problem
            raise APIConnectionError(
                f"no answer from the upstream: {what}", code="connection_error"
            ) from problem

    async def _sent(
        self, http: HTTPRequest, url: URL, headers: Mapping[str, str], clock: LoopClock
    ) -> aiohttp.ClientResponse:
        """Return the answer; a kept connection that has just closed is none (``dragoman.network``)."""
        for left in reversed(range(RESENDS + 1)):
            _reused.set(False)
            try:
                return await self._opened().request(
                    http.method,
                    url,
                    headers=headers,
                    data=http.body or None,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=clock.timeout.connect),
                )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                if not left or not _reused.get():
                    raise
        raise AssertionError("the last one is returned or raised")

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=_Connector(limit=_CONNECTIONS, keepalive_timeout=_KEPT_ALIVE, ssl=_tls()),
                cookie_jar=aiohttp.DummyCookieJar(),  # what an upstream tells one caller is not for the next
                trust_env=bool(getproxies()),  # asked for every call, in a thread: only where there are any
                skip_auto_headers=("user-agent",),
            )
        return self._session


class _Connector(aiohttp.TCPConnector):
    """Tells of each request whether its connection has served another: aiohttp's tracing takes far longer."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._known: WeakSet[Any] = WeakSet()

    async def connect(self, *arguments: Any, **more: Any) -> Connection:
        connection = await super().connect(*arguments, **more)
        protocol = connection.protocol
        if protocol in self._known:
            _reused.set(True)
        else:
            self._known.add(protocol)
        return connection


def _with_basic_authorization(url: URL, headers: Mapping[str, str]) -> tuple[URL, Mapping[str, str]]:
    """Put name and password of an address before other credentials, as httpx does; aiohttp refuses both."""
    if url.user is None:
        return url, headers
    basic = b64encode(f"{url.user}:{url.password or ''}".encode()).decode()
    return url.with_user(None), {**headers, "authorization": f"Basic {basic}"}


def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()
