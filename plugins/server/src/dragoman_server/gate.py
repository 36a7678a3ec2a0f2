"""What every request passes before it is routed: its size, its key, a number of its own; and all errors."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dragoman.errors import APIStatusError
from dragoman.plugins import plugins
from dragoman_server.exchange import Exchange
from dragoman_server.failures import as_api_error, server_stops
from dragoman_server.metrics import METRICS, metrics_are_public
from dragoman_server.routes import EXCHANGE, FIXED
from dragoman_server.websocket_handshake import as_request

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from dragoman_server.gateway import Limits
    from dragoman_server.service import Service

__all__ = ["PREFIXES", "Gate"]

PREFIXES = ("/openai/v1", "/v1")
"""What a path may begin with; without, it means the same."""
_OPEN = frozenset({"/health/live", "/health/ready"})
"""Paths that need no key: they tell nothing but yes or no."""


class Gate:
    """ASGI middleware. Who may enter is decided from the headers alone, whatever the path looks like."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service
        self._told = plugins().has("request_came")
        self._open = _OPEN | {METRICS} if metrics_are_public() else _OPEN

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await receive()  # that it wants to connect
            scope, send = as_request(scope, send)
        service = self._service
        exchange = Exchange(scope, receive, send, service)
        service.enter()
        try:
            _check_headers(scope["headers"], service.limits)
            if self._told:
                plugins().tell("request_came", headers=exchange.headers)
            path = scope["path"]
            if path not in self._open:
                exchange.owner = await service.authenticate(exchange.headers)
            path = _without_prefix(path)
            endpoint = FIXED.get((exchange.method, path)) if scope["type"] == "http" else None
            if endpoint is not None:  # nearly every request: the router would find the same
                await endpoint(exchange)
            else:
                await self._app({**scope, "path": path, EXCHANGE: exchange}, receive, send)
        except asyncio.CancelledError:
            # The caller has left, and what it asked for is ended; or the server stops, and says so.
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
            if not exchange.started:
                await exchange.refuse(server_stops())  # to nobody, where the caller is gone
        except Exception as problem:
            error = as_api_error(problem)
            if exchange.started:
                raise
            await exchange.refuse(error)
        finally:
            service.leave()


def _without_prefix(path: str) -> str:
    for prefix in PREFIXES:
        if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] == "/":
            return path[len(prefix) :]
    return path


def _check_headers(headers: list[tuple[bytes, bytes]], limits: Limits) -> None:
    total = 0
    for name, value in headers:
        total += len(name) + len(value)
        if len(value) > limits.header:
            shown = name[:80].decode("latin-1")
            raise _too_large(f"The header {shown!r} is longer than {limits.header} bytes.")
    if total > limits.headers or len(headers) > limits.header_count:
        raise _too_large(
            f"The headers are more than {limits.header_count}, or have more than {limits.headers} bytes."
        )


def _too_large(message: str) -> APIStatusError:
    return APIStatusError(message, status_code=431, code="headers_too_large", type="invalid_request_error")
