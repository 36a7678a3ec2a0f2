"""The server of dragoman: OpenAI's Responses API over HTTP, for every client, on every provider.

    from dragoman_server import Deployment, ServerConfig, create_app

    app = create_app(ServerConfig(deployments=(Deployment(name="*", model="*"),)))

``dragoman serve`` runs it; ``app`` is an ASGI application for whoever runs it otherwise.
"""

from __future__ import annotations

from dragoman.routing import Deployment
from dragoman_server.app import create_app
from dragoman_server.gateway import Limits, ServerConfig

__all__ = ["Deployment", "Limits", "ServerConfig", "create_app"]
