"""WebSockets before they are accepted: requests like others, which may be refused with an HTTP answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import Scope, Send

__all__ = ["as_request", "chosen_subprotocol"]

_KEY = "openai-insecure-api-key."
"""Begins the subprotocol that holds a key: browsers can set no header."""
_CREDENTIALS = frozenset({b"authorization", b"api-key", b"x-api-key"})
_EXTENSION = "websocket.http.response"


def as_request(scope: Scope, send: Send) -> tuple[Scope, Send]:
    """Return a handshake's scope and `send` in a form that what serves HTTP requests can use.

    A key in a subprotocol becomes a header; an HTTP answer refuses the handshake.
    """
    headers = list(scope["headers"])
    offered = [name for name in scope["subprotocols"] if name.startswith(_KEY)]
    if offered and not any(name in _CREDENTIALS for name, _ in headers):
        headers.append((b"authorization", b"Bearer " + offered[0].removeprefix(_KEY).encode()))
    answerable = _EXTENSION in (scope.get("extensions") or {})

    async def refuse_or_send(message: Any) -> None:
        if not message["type"].startswith("http.response."):
            await send(message)
        elif answerable:
            await send({**message, "type": f"websocket.{message['type']}"})
        elif message["type"] == "http.response.start":
            await send({"type": "websocket.close", "code": 1008})  # all that this ASGI server can say

    return {**scope, "method": "GET", "headers": headers}, refuse_or_send


def chosen_subprotocol(offered: Sequence[str]) -> str | None:
    """Return the subprotocol to name in the answer: browsers that offer any need one back.

    One that holds no key, where there is a choice: answers end up in logs.
    """
    return min(offered, key=lambda name: name.startswith(_KEY), default=None)
