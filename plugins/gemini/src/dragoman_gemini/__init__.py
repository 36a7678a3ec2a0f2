"""Gemini on Google's own API: Responses requests to generateContent, and back.

The hooks are here; each delegates. Plugins for the same wire elsewhere (Vertex AI) build on
``requests.content_body``, ``responses`` and ``errors``: what is sealed names the target's provider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.hookspecs import HTTPRequest, ProviderInfo, StreamEvent, Target, hookimpl
from dragoman_gemini import errors, requests, responses
from dragoman_gemini.info import INFO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.errors import ProviderError
    from dragoman.output import Output

__all__ = [
    "handle_stream_event",
    "parse_error",
    "parse_response",
    "parse_token_count",
    "provider_info",
    "translate_request",
    "translate_token_count",
]


@hookimpl
def provider_info() -> ProviderInfo:
    """Describe Gemini: its settings and what becomes of each parameter."""
    return INFO


@hookimpl
def translate_request(request: dict[str, Any], target: Target) -> HTTPRequest:
    """Turn a Responses request into ``POST models/{model}:generateContent``."""
    return requests.translate_request(request, target)


@hookimpl
def parse_response(payload: Any, output: Output, target: Target) -> None:
    """Write a whole answer."""
    responses.parse_response(payload, output, target)


@hookimpl
def handle_stream_event(event: StreamEvent, output: Output, target: Target) -> None:
    """Write one chunk of a streamed answer."""
    responses.handle_stream_event(event, output, target)


@hookimpl
def translate_token_count(request: dict[str, Any], target: Target) -> HTTPRequest:
    """Turn the same request into ``POST models/{model}:countTokens``."""
    return requests.translate_token_count(request, target)


@hookimpl
def parse_token_count(payload: Any, target: Target) -> int:
    """Return ``totalTokens``."""
    return responses.parse_token_count(payload)


@hookimpl
def parse_error(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    target: Target,
) -> ProviderError | None:
    """Read a refusal: ``{"error": {"code", "message", "status", "details"}}``, also in a list."""
    return errors.parse_error(status, body)
