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
    from dragoman.client import AsyncDragoman, Dragoman, aresponses, responses, supported_params
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
    from dragoman.providers import register_provider
    from dragoman.streaming import AsyncResponseStream, ResponseStream
    from dragoman.timeouts import Timeout

_ROOMS = {
    "client": ("AsyncDragoman", "Dragoman", "aresponses", "responses", "supported_params"),
    "errors": (
        "APIConnectionError",
        "APIError",
        "APIStatusError",
        "APITimeoutError",
        "AuthenticationError",
        "BadRequestError",
        "ConflictError",
        "ContentPolicyViolationError",
        "ContextWindowExceededError",
        "DragomanError",
        "InternalServerError",
        "MalformedResponseError",
        "NotFoundError",
        "PermissionDeniedError",
        "PluginError",
        "ProviderError",
        "RateLimitError",
        "RequestTooLargeError",
        "ServiceUnavailableError",
        "StreamInterruptedError",
        "UnknownProviderError",
        "UnprocessableEntityError",
        "UnsupportedParameterError",
    ),
    "hookspecs": ("hookimpl",),
    "models": ("Response", "ResponseStreamEvent"),
    "providers": ("register_provider",),
    "streaming": ("AsyncResponseStream", "ResponseStream"),
    "timeouts": ("Timeout",),
}
_HOMES = {name: room for room, names in _ROOMS.items() for name in names}

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
    "Dragoman",
    "DragomanError",
    "InternalServerError",
    "MalformedResponseError",
    "NotFoundError",
    "PermissionDeniedError",
    "PluginError",
    "ProviderError",
    "RateLimitError",
    "RequestTooLargeError",
    "Response",
    "ResponseStream",
    "ResponseStreamEvent",
    "ServiceUnavailableError",
    "StreamInterruptedError",
    "Timeout",
    "UnknownProviderError",
    "UnprocessableEntityError",
    "UnsupportedParameterError",
    "aresponses",
    "hookimpl",
    "register_provider",
    "responses",
    "supported_params",
]


def __getattr__(name: str) -> Any:
    """Load a public name at its first use."""
    room = _HOMES.get(name)
    if room is None:
        raise AttributeError(f"module 'dragoman' has no attribute {name!r}")
    value = getattr(import_module(f"dragoman.{room}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
