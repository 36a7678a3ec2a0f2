"""Microsoft Foundry: one resource, three wires, each of them another package's.

Chat Completions is translated by ``dragoman_openai_compatible``, Claude's Messages by ``dragoman_anthropic``;
the Responses API is relayed by core.
This package knows which deployment speaks what (``deployments``), where that is (``addresses``), and what is
different there. The hooks are here; each delegates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.hookspecs import (
    Compacted,
    Credentials,
    HTTPRequest,
    ProviderInfo,
    StreamEvent,
    Target,
    hookimpl,
)
from dragoman_azure_ai import credentials as sign_in
from dragoman_azure_ai import errors, requests, responses
from dragoman_azure_ai.deployments import deployment_of
from dragoman_azure_ai.info import INFO, INFOS
from dragoman_openai.requests import parse_compaction as parse_window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.errors import ProviderError
    from dragoman.output import Output

__all__ = [
    "authorize",
    "handle_stream_event",
    "load_credentials",
    "model_info",
    "parse_compaction",
    "parse_error",
    "parse_response",
    "parse_token_count",
    "provider_info",
    "supports_prefill",
    "translate_compaction",
    "translate_request",
    "translate_token_count",
]


@hookimpl
def provider_info() -> ProviderInfo:
    """Describe Foundry: its settings and what becomes of each parameter."""
    return INFO


@hookimpl
def model_info(target: Target) -> ProviderInfo:
    """Describe the deployment: its wire, its parameters, and who can read what it sealed."""
    return INFOS[deployment_of(target).wire]


@hookimpl
def translate_request(request: dict[str, Any], target: Target) -> HTTPRequest:
    """Turn a Responses request into the one that the deployment's wire has for it."""
    return requests.translate_request(request, target)


@hookimpl
def load_credentials(target: Target) -> Credentials | None:
    """Find a key or a token: given, in the environment, or through azure-identity."""
    return sign_in.load_credentials(target)


@hookimpl
def authorize(http: HTTPRequest, target: Target, credentials: Credentials | None) -> HTTPRequest | None:
    """Add the key under the name that the wire has for it, or the token."""
    return sign_in.authorize(http, credentials)


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
    """Turn the same request into a question to the wire's counter; Chat Completions has none."""
    return requests.translate_token_count(request, target)


@hookimpl
def parse_token_count(payload: Any, target: Target) -> int:
    """Read the count: ``input_tokens`` on both wires that have a counter."""
    return responses.parse_token_count(payload)


@hookimpl
def translate_compaction(request: dict[str, Any], target: Target) -> HTTPRequest | None:
    """Address a request to the resource's ``responses/compact``, for deployments of the Responses API."""
    return requests.translate_compaction(request, target)


@hookimpl
def parse_compaction(payload: Any, target: Target) -> Compacted:
    """Read the window, which is OpenAI's."""
    return parse_window(payload)


@hookimpl
def parse_error(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    target: Target,
) -> ProviderError | None:
    """Read a refusal: Azure's dialect, the model's own, or Anthropic's."""
    return errors.parse_error(status, body)
