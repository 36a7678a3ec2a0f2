"""The application: from a config to something that an ASGI server runs."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware

from dragoman_server.gate import Gate
from dragoman_server.routes import not_found, routes
from dragoman_server.service import Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from dragoman_server.authentication import Keyring
    from dragoman_server.gateway import ServerConfig
    from dragoman_server.shared_counts import SharedCounts

__all__ = ["create_app"]


def create_app(
    config: ServerConfig, *, keyring: Keyring | None = None, counts: SharedCounts | None = None
) -> Starlette:
    """Return the server of a config, as an ASGI application.

    `app.state.service` is its ``Service``; ``app.state.service.reload(config)`` changes what it serves.

    Args:
        config: what to serve.
        keyring: who may ask, where that is more than the config's one key.
        counts: what keys have done, where several processes share that.
    """
    service = Service(config, keyring, counts)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await service.stop()

    app = Starlette(routes=routes(), middleware=[Middleware(Gate, service=service)], lifespan=lifespan)
    app.state.service = service
    app.router.default = not_found
    app.router.redirect_slashes = False
    return app
