"""Gemini and Claude on Vertex AI: Google's own doors to two wires that other packages translate.

The hooks are here; each delegates. The bodies are ``dragoman_gemini``'s and ``dragoman_anthropic``'s; this
package knows the addresses, the credentials, and what is different behind them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.hookspecs import Credentials, HTTPRequest, ProviderInfo, StreamEvent, Target, hookimpl
from dragoman_vertex_ai import credentials as sign_in
from dragoman_vertex_ai import errors, requests, responses
from dragoman_vertex_ai.info import INFO, info_for
from dragoman_vertex_ai.models import model_named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.errors import ProviderError
    from dragoman.output import Output

__all__ = [
    "authorize",
    "handle_stream_event",
    "load_credentials",
    "model_info",
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
    """Describe Vertex AI: its settings and what becomes of each parameter."""
    return INFO


@hookimpl
def model_info(target: Target) -> ProviderInfo:
    """Describe a model: Gemini's parameters or Claude's."""
    return info_for(model_named(target.model))


@hookimpl
def translate_request(request: dict[str, Any], target: Target) -> HTTPRequest:
    """Turn a Responses request into ``:generateContent`` of Gemini or ``:rawPredict`` of Claude."""
    return requests.translate_request(request, target)


@hookimpl
def load_credentials(target: Target) -> Credentials | None:
    """Find a token or a key: given, in the environment, of ``aiplatform.init()``, or through google-auth."""
    return sign_in.load_credentials(target)


@hookimpl
def authorize(http: HTTPRequest, target: Target, credentials: Credentials | None) -> HTTPRequest | None:
    """Add the token or the key, and to the address the project where only the credentials know it."""
    return sign_in.authorize(http, target, credentials)


@hookimpl
def parse_response(payload: Any, output: Output, target: Target) -> None:
    """Write a whole answer."""
    responses.parse_response(payload, output, target)


@hookimpl
def handle_stream_event(event: StreamEvent, output: Output, target: Target) -> None:
    """Write one event of a streamed answer."""
    responses.handle_stream_event(event, output, target)


@hookimpl
def supports_prefill(request: dict[str, Any], target: Target) -> bool:
    """Tell whether Claude goes on behind the beginning of its answer: before 4.6, where it does not think."""
    return requests.supports_prefill(request, target)


@hookimpl
def translate_token_count(request: dict[str, Any], target: Target) -> HTTPRequest | None:
    """Turn the same request into ``:countTokens``, or ``count-tokens:rawPredict`` for Claude."""
    return requests.translate_token_count(request, target)


@hookimpl
def parse_token_count(payload: Any, target: Target) -> int:
    """Return ``totalTokens``, or Claude's ``input_tokens``."""
    return responses.parse_token_count(payload, target)


@hookimpl
def parse_error(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    target: Target,
) -> ProviderError | None:
    """Read a refusal: Google's dialect, Anthropic's, one inside the other, or a page of HTML."""
    return errors.parse_error(status, body, target)
