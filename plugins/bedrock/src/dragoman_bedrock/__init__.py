"""Amazon Bedrock: Responses requests to Converse and ConverseStream, and back.

The hooks are here; each delegates. What is model-independent of the wire is in ``requests.converse_body``,
``responses`` and ``errors``; credentials and signatures are in ``credentials``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.hookspecs import Credentials, HTTPRequest, ProviderInfo, StreamEvent, Target, hookimpl
from dragoman_bedrock import credentials as sign_in
from dragoman_bedrock import errors, requests, responses
from dragoman_bedrock.info import INFO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.errors import ProviderError
    from dragoman.output import Output

__all__ = [
    "authorize",
    "handle_stream_event",
    "load_credentials",
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
    """Describe Bedrock: its settings and what becomes of each parameter."""
    return INFO


@hookimpl
def translate_request(request: dict[str, Any], target: Target) -> HTTPRequest:
    """Turn a Responses request into ``POST /model/{id}/converse``."""
    return requests.translate_request(request, target)


@hookimpl
def supports_prefill(request: dict[str, Any], target: Target) -> bool:
    """Tell whether Claude goes on behind the beginning of its answer: before 4.6, where it does not think."""
    return requests.supports_prefill(request, target)


@hookimpl
def translate_token_count(request: dict[str, Any], target: Target) -> HTTPRequest | None:
    """Turn a Responses request into ``POST /model/{id}/count-tokens``."""
    return requests.translate_token_count(request, target)


@hookimpl
def load_credentials(target: Target) -> Credentials | None:
    """Find AWS credentials: given, or through boto3."""
    return sign_in.load_credentials(target)


@hookimpl
def authorize(http: HTTPRequest, target: Target, credentials: Credentials | None) -> HTTPRequest | None:
    """Sign the request, or add the API key."""
    return sign_in.authorize(http, credentials)


@hookimpl
def parse_response(payload: Any, output: Output, target: Target) -> None:
    """Write a whole answer."""
    responses.parse_response(payload, output, target)


@hookimpl
def parse_token_count(payload: Any, target: Target) -> int:
    """Read ``{"inputTokens": 11}``."""
    return responses.parse_token_count(payload)


@hookimpl
def handle_stream_event(event: StreamEvent, output: Output, target: Target) -> None:
    """Write one event of a stream."""
    responses.handle_stream_event(event, output, target)


@hookimpl
def parse_error(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    target: Target,
) -> ProviderError | None:
    """Read a refusal: its type from ``x-amzn-errortype``, its words from the body."""
    return errors.parse_error(status, headers, body)
