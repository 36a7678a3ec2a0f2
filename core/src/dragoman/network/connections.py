"""Connections that were kept open, and closed by the upstream just as they were used again.

Nobody has heard the request then, and nothing is wrong with the upstream: it is sent again at once, which is
no attempt of its own. On a connection that was made for it the same is a failure, and routing's to deal with.
"""

from __future__ import annotations

from typing import Any

import httpx

__all__ = ["DROPPED", "RESENDS", "Connection"]

DROPPED = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError, httpx.CloseError)
"""What httpx raises where a connection has gone."""
RESENDS = 3
"""How often: the next connection that was kept may be gone as well."""


class Connection:
    """What a request's ``trace`` tells of its connection (an extension of httpx's own transports)."""

    __slots__ = ("_made", "_used")

    def __init__(self) -> None:
        self._made = self._used = False

    @property
    def reused(self) -> bool:
        """Whether the request went out over a connection that was there already."""
        return self._used and not self._made

    def saw(self, name: str, _: Any) -> None:
        """Hear of one step."""
        if name.startswith("connection."):
            self._made = True
        elif name.endswith("send_request_headers.started"):
            self._used = True

    async def asaw(self, name: str, info: Any) -> None:
        """Hear of one step, on an event loop."""
        self.saw(name, info)
