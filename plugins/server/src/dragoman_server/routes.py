"""Every path of the server and what answers there: the one table that routing and openapi.json follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from starlette.routing import BaseRoute, Route, WebSocketRoute

from dragoman.errors import APIStatusError, NotFoundError
from dragoman_server import (
    catalogue,
    compaction,
    conversations,
    counting,
    key_endpoints,
    metrics,
    responses,
    spending,
    websocket,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Receive, Scope, Send

    from dragoman_server.exchange import Exchange

__all__ = ["EXCHANGE", "FIXED", "PATHS", "Endpoint", "not_found", "routes"]

Endpoint: TypeAlias = "Callable[[Exchange], Awaitable[None]]"
EXCHANGE = "dragoman.exchange"
"""Where a scope holds the exchange."""

PATHS: dict[str, dict[str, Endpoint]] = {
    "/responses": {"POST": responses.create, "GET": responses.upgrade},
    "/responses/compact": {"POST": compaction.compact},
    "/responses/input_tokens": {"POST": counting.count},
    "/responses/{response_id}": {"GET": responses.retrieve, "DELETE": responses.delete},
    "/responses/{response_id}/cancel": {"POST": responses.cancel},
    "/responses/{response_id}/input_items": {"GET": responses.list_input_items},
    "/conversations": {"POST": conversations.create},
    "/conversations/{conversation_id}": {
        "GET": conversations.retrieve,
        "POST": conversations.update,
        "DELETE": conversations.delete,
    },
    "/conversations/{conversation_id}/items": {
        "GET": conversations.list_items,
        "POST": conversations.add_items,
    },
    "/conversations/{conversation_id}/items/{item_id}": {
        "GET": conversations.get_item,
        "DELETE": conversations.delete_item,
    },
    "/keys": {"POST": key_endpoints.create, "GET": key_endpoints.list_all},
    "/keys/{key_id}": {"DELETE": key_endpoints.revoke},
    "/models": {"GET": catalogue.list_models},
    "/models/{model:path}": {"GET": catalogue.retrieve_model},
    "/spend": {"GET": spending.spend},
    "/openapi.json": {"GET": catalogue.describe},
    metrics.METRICS: {"GET": metrics.scrape},
    "/health/live": {"GET": catalogue.live},
    "/health/ready": {"GET": catalogue.Readiness()},
}
"""Path, without the prefix that it may have (see ``dragoman_server.gate``) -> method -> endpoint; GET also
answers to HEAD."""
FIXED = {
    (method, path): endpoint
    for path, methods in PATHS.items()
    if "{" not in path
    for method, endpoint in methods.items()
}
"""Method and path -> endpoint, of the paths without placeholders."""


class _Resource:
    """What answers at one path."""

    def __init__(self, methods: dict[str, Endpoint]) -> None:
        self._methods = methods
        self._allowed = {name for name, known in methods.items() if known is not responses.upgrade}
        if "GET" in self._allowed:  # the same without its body, which the HTTP server leaves out
            self._methods = {**methods, "HEAD": methods["GET"]}
            self._allowed.add("HEAD")

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        exchange: Exchange = scope[EXCHANGE]
        endpoint = self._methods.get(exchange.method)
        if endpoint is None:
            allowed = ", ".join(sorted(self._allowed))
            error = APIStatusError(
                f"{exchange.method} is not a method of this path: {allowed}.",
                status_code=405,
                code="method_not_allowed",
                type="invalid_request_error",
            )
            await exchange.refuse(error, (b"allow", allowed.encode()))
            return
        exchange.path = scope["path_params"]
        await endpoint(exchange)


class _Socket:
    """What answers to WebSockets."""

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        await websocket.serve(scope[EXCHANGE], scope["subprotocols"])


def routes() -> list[BaseRoute]:
    """Return the table as Starlette's routes, and the one that is a WebSocket."""
    return [
        *(Route(path, _Resource(methods)) for path, methods in PATHS.items()),
        WebSocketRoute("/responses", _Socket()),
    ]


async def not_found(scope: Scope, _receive: Receive, _send: Send) -> None:
    """Say that there is nothing at a path."""
    raise NotFoundError(
        f"Nothing is at {scope['path'][:200]!r}. GET /openapi.json lists what there is.",
        code="unknown_url",
        type="invalid_request_error",
    )
