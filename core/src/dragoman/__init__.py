"""dragoman: one API, OpenAI's Responses API, for every model provider.

    import dragoman

    response = dragoman.responses(model="echo/echo", input="Hello")
    print(response.output_text)

Importing this package loads nothing else: names are resolved when they are first used, a provider when a
model of its is first called.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dragoman.costs import Cost, cost
    from dragoman.errors import (
        APIConnectionError,
        APIError,
        APIStatusError,
        APITimeoutError,
        AuthenticationError,
        BadRequestError,
        ConflictError,
        ContentPolicyViolationError,
        ContextWindowExceededError,
        DragomanError,
        InternalServerError,
        MalformedResponseError,
        NotFoundError,
        PermissionDeniedError,
        PluginError,
        ProviderError,
        RateLimitError,
        RequestTooLargeError,
        ServiceUnavailableError,
        StreamInterruptedError,
        UnknownProviderError,
        UnprocessableEntityError,
        UnsupportedParameterError,
    )
    from dragoman.hookspecs import hookimpl
    from dragoman.models import Response, ResponseStreamEvent
    from dragoman.network.timeouts import Timeout
    from dragoman.plugins import register_plugin
    from dragoman.providers import register_provider
    from dragoman.records.listeners import flush_records, on_record
    from dragoman.records.logs import log_calls
    from dragoman.records.record import Record
    from dragoman.sdk.client import AsyncDragoman, Dragoman, aresponses, responses, supported_params
    from dragoman.sdk.router import Router
    from dragoman.sdk.streaming import AsyncResponseStream, ResponseStream

# Where each public name lives; what is not here is one of the errors.
_ROOMS = {
    "AsyncDragoman": "sdk.client",
    "AsyncResponseStream": "sdk.streaming",
    "Cost": "costs",
    "Dragoman": "sdk.client",
    "Record": "records.record",
    "Response": "models",
    "ResponseStream": "sdk.streaming",
    "ResponseStreamEvent": "models",
    "Router": "sdk.router",
    "Timeout": "network.timeouts",
    "aresponses": "sdk.client",
    "flush_records": "records.listeners",
    "on_record": "records.listeners",
    "cost": "costs",
    "hookimpl": "hookspecs",
    "log_calls": "records.logs",
    "register_plugin": "plugins",
    "register_provider": "providers",
    "responses": "sdk.client",
    "supported_params": "sdk.client",
}

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "APITimeoutError",
    "AsyncDragoman",
    "AsyncResponseStream",
    "AuthenticationError",
    "BadRequestError",
    "ConflictError",
    "ContentPolicyViolationError",
    "ContextWindowExceededError",
    "Cost",
    "Dragoman",
    "DragomanError",
    "InternalServerError",
    "MalformedResponseError",
    "NotFoundError",
    "PermissionDeniedError",
    "PluginError",
    "ProviderError",
    "RateLimitError",
    "Record",
    "RequestTooLargeError",
    "Response",
    "ResponseStream",
    "ResponseStreamEvent",
    "Router",
    "ServiceUnavailableError",
    "StreamInterruptedError",
    "Timeout",
    "UnknownProviderError",
    "UnprocessableEntityError",
    "UnsupportedParameterError",
    "aresponses",
    "cost",
    "flush_records",
    "hookimpl",
    "log_calls",
    "on_record",
    "register_plugin",
    "register_provider",
    "responses",
    "supported_params",
]


def __getattr__(name: str) -> Any:
    """Load a public name at its first use."""
    if name not in __all__:
        raise AttributeError(f"module 'dragoman' has no attribute {name!r}")
    value = getattr(import_module(f"dragoman.{_ROOMS.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
