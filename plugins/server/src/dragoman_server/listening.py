"""How uvicorn runs the application: which parser and loop, what it says of itself, how it stops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from dragoman_server.websocket import STOPPING

if TYPE_CHECKING:
    import asyncio

    from starlette.applications import Starlette
    from uvicorn._types import ASGISendEvent

__all__ = ["listening"]

_MOST_HEADER_BYTES = 1024 * 1024  # of one request: what is larger is not read on, and has no answer
_KEEP_ALIVE = 75  # seconds that an idle connection stays: more than load balancers' 60
_PATIENCE = 2  # seconds that a request on its way has to arrive once the server stops
_PING_TIMEOUT = 60  # seconds: a client whose tools block its event loop is still there


class _PatientHttp(HttpToolsProtocol):
    """Lets a request that is on its way arrive when the server stops; ends headers that have no end.

    Who has just connected is about to send a request: uvicorn's own would close the connection, and clients
    send no request again on a connection that was new. Limits of headers that end are the application's to
    explain.
    """

    _header_bytes = 0
    _awaiting = True  # a request: its connection is new, or its headers have begun
    _stopping = False
    _patience: asyncio.TimerHandle | None = None

    def on_message_begin(self) -> None:
        """Begin to count."""
        self._header_bytes = 0
        self._awaiting = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > _MOST_HEADER_BYTES:
            self.transport.close()
            return
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin the request; it is the connection's last where the server stops."""
        self._awaiting = False
        if self._patience is not None:
            self._patience.cancel()
        super().on_headers_complete()
        if self._stopping and self.cycle is not None:
            self.cycle.keep_alive = False

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection on; where the server stops, with word of that."""
        super().handle_websocket_upgrade()
        if self._stopping:
            cast("_PatientWebSocket", self.transport.get_protocol()).shutdown()

    def shutdown(self) -> None:
        """Close the connection where no request is on its way or under way; let that be the last."""
        self._stopping = True
        if self._awaiting and not self._is_busy():
            self._patience = self.loop.call_later(_PATIENCE, self.transport.close)
        else:
            super().shutdown()

    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete


class _PatientWebSocket(WebSocketsSansIOProtocol):
    """Leaves it to the application how it ends when the server stops: turns that run have time to end."""

    _stopping = False

    def shutdown(self) -> None:
        """Tell the application; uvicorn's own would close the connection at once."""
        self._stopping = True
        if not self.handshake_complete or self.close_sent:
            super().shutdown()
            return
        self.queue.put_nowait(cast("Any", {"type": STOPPING}))

    async def send(self, message: ASGISendEvent) -> None:
        """Send; a server that stops does not wait ten seconds for the client to close its side too."""
        await super().send(message)
        if self._stopping and self.close_sent:
            super().shutdown()

    def keepalive_timeout(self) -> None:
        """Give up a client that answers no ping: it may never read what is still to be sent."""
        super().keepalive_timeout()
        self.transport.abort()


def listening(app: Starlette, **options: Any) -> uvicorn.Config:
    """Return uvicorn's configuration for an application of ``create_app``.

    Args:
        app: the application.
        options: uvicorn's own: host, port, fd, log_level ...
    """
    limits = app.state.service.limits
    settings: dict[str, Any] = {
        "http": _PatientHttp,
        "ws": _PatientWebSocket,
        "ws_max_size": 2 * limits.body,  # up to there the application says what is wrong; beyond it is 1009
        "ws_per_message_deflate": False,  # costs more than it saves; small frames could become large ones
        "ws_ping_timeout": _PING_TIMEOUT,
        "lifespan": "on",
        "loop": "auto",
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": _KEEP_ALIVE,
        "timeout_graceful_shutdown": max(1, round(limits.shutdown)),
    }
    return uvicorn.Config(app, **{**settings, **options})
