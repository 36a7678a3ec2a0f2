"""Azure OpenAI: a native provider. OpenAI's own requests and answers, at a resource of yours.

The hooks are here; each delegates. What Azure shares with OpenAI comes from ``dragoman_openai``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.hookspecs import Compacted, Credentials, HTTPRequest, ProviderInfo, Target, hookimpl
from dragoman_azure import credentials as sign_in
from dragoman_azure import errors, requests
from dragoman_azure.info import INFO
from dragoman_openai.requests import parse_compaction as parse_window
from dragoman_openai.requests import parse_token_count as parse_count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.errors import ProviderError

__all__ = [
    "authorize",
    "load_credentials",
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
    """Describe Azure OpenAI: its settings, and OpenAI's parameters."""
    return INFO


@hookimpl
def translate_request(request: dict[str, Any], target: Target) -> HTTPRequest:
    """Address a request to the resource: its v1 surface, or a dated api-version."""
    return requests.translate_request(request, target)


@hookimpl
def translate_token_count(request: dict[str, Any], target: Target) -> HTTPRequest:
    """Address the same request to the resource's ``responses/input_tokens``."""
    return requests.translate_token_count(request, target)


@hookimpl
def parse_token_count(payload: Any, target: Target) -> int:
    """Read the count, which is OpenAI's."""
    return parse_count(payload)


@hookimpl
def translate_compaction(request: dict[str, Any], target: Target) -> HTTPRequest:
    """Address a request to the resource's ``responses/compact``."""
    return requests.translate_compaction(request, target)


@hookimpl
def parse_compaction(payload: Any, target: Target) -> Compacted:
    """Read the window, which is OpenAI's."""
    return parse_window(payload)


@hookimpl
def load_credentials(target: Target) -> Credentials | None:
    """Find a key or a token: given, in the environment, or through azure-identity."""
    return sign_in.load_credentials(target)


@hookimpl
def authorize(http: HTTPRequest, target: Target, credentials: Credentials | None) -> HTTPRequest | None:
    """Add the key or the token; a header that the caller sets is the caller's."""
    return sign_in.authorize(http, credentials)


@hookimpl
def parse_error(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    target: Target,
) -> ProviderError | None:
    """Read a refusal: OpenAI's form, with Azure's own codes."""
    return errors.parse_error(status, body)
