"""Claude on Anthropic's own API: Responses requests to the Messages API, and back.

The hooks are here; each delegates. Plugins for the same wire elsewhere (Vertex AI, Foundry) build on
``requests.messages_body``, ``responses`` and ``errors``: what is sealed names the target's provider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.hookspecs import HTTPRequest, ProviderInfo, StreamEvent, Target, hookimpl
from dragoman_anthropic import errors, requests, responses
from dragoman_anthropic.info import INFO

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
    "supports_prefill",
    "translate_request",
    "translate_token_count",
]


@hookimpl
def provider_info() -> ProviderInfo:
    """Describe Anthropic: its settings and what becomes of each parameter."""
    return INFO


@hookimpl
def translate_request(request: dict[str, Any], target: Target) -> HTTPRequest:
    """Turn a Responses request into ``POST /v1/messages``."""
    return requests.translate_request(request, target)


@hookimpl
def parse_response(payload: Any, output: Output, target: Target) -> None:
    """Write a whole message."""
    responses.parse_response(payload, output, target)


@hookimpl
def handle_stream_event(event: StreamEvent, output: Output, target: Target) -> None:
    """Write one event of a streamed message."""
    responses.handle_stream_event(event, output, target)


@hookimpl
def supports_prefill(request: dict[str, Any], target: Target) -> bool:
    """Tell whether Claude goes on behind the beginning of its answer: before 4.6, where it does not think."""
    return requests.supports_prefill(request, target.model)


@hookimpl
def translate_token_count(request: dict[str, Any], target: Target) -> HTTPRequest:
    """Turn the same request into ``POST /v1/messages/count_tokens``."""
    return requests.translate_token_count(request, target)


@hookimpl
def parse_token_count(payload: Any, target: Target) -> int:
    """Read the count."""
    return responses.parse_token_count(payload)


@hookimpl
def parse_error(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    target: Target,
) -> ProviderError | None:
    """Read a refusal: ``{"type": "error", "error": {"type", "message"}, "request_id"}``."""
    return errors.parse_error(status, body)
