"""OpenAI: a native provider. Requests go out as they are; core relays the answers.

The hooks are here; each delegates. Plugins for the same API elsewhere (Azure) build on
``requests.responses_body`` and ``errors.parse_error``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.hookspecs import Compacted, HTTPRequest, ProviderInfo, Target, hookimpl
from dragoman_openai import errors, requests
from dragoman_openai.info import INFO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.errors import ProviderError

__all__ = [
    "parse_compaction",
    "parse_error",
    "parse_token_count",
    "provider_info",
    "translate_compaction",
    "translate_request",
    "translate_token_count",
]


@hookimpl
def provider_info() -> ProviderInfo:
    """Describe OpenAI: its settings, and the few parameters that are not its own."""
    return INFO


@hookimpl
def translate_request(request: dict[str, Any], target: Target) -> HTTPRequest:
    """Address a request to ``POST {api_base}/responses``."""
    return requests.translate_request(request, target)


@hookimpl
def translate_token_count(request: dict[str, Any], target: Target) -> HTTPRequest:
    """Address the same request to ``POST {api_base}/responses/input_tokens``."""
    return requests.translate_token_count(request, target)


@hookimpl
def parse_token_count(payload: Any, target: Target) -> int:
    """Read the count: ``{"object": "response.input_tokens", "input_tokens"}``."""
    return requests.parse_token_count(payload)


@hookimpl
def translate_compaction(request: dict[str, Any], target: Target) -> HTTPRequest:
    """Address a request to ``POST {api_base}/responses/compact``."""
    return requests.translate_compaction(request, target)


@hookimpl
def parse_compaction(payload: Any, target: Target) -> Compacted:
    """Read the window: ``{"object": "response.compaction", "output", "usage"}``."""
    return requests.parse_compaction(payload)


@hookimpl
def parse_error(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    target: Target,
) -> ProviderError | None:
    """Read a refusal: ``{"error": {"message", "type", "param", "code"}}``."""
    return errors.parse_error(status, body)
