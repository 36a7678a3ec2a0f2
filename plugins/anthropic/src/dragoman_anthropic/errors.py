"""Anthropic's errors in OpenAI's vocabulary, from a refusal's body or from the middle of a stream."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from dragoman.errors import ProviderError

__all__ = ["parse_error", "stream_error"]


class _Kind(NamedTuple):
    """What one ``error.type`` of Anthropic's is called at OpenAI."""

    status: int
    """The status that the API gives this error over HTTP."""
    type: str
    code: str | None = None


_KINDS = {
    "invalid_request_error": _Kind(400, "invalid_request_error"),
    "authentication_error": _Kind(401, "authentication_error", "invalid_api_key"),
    "billing_error": _Kind(402, "insufficient_quota", "insufficient_quota"),
    "permission_error": _Kind(403, "permission_error"),
    "not_found_error": _Kind(404, "not_found_error"),
    "request_too_large": _Kind(413, "invalid_request_error", "request_too_large"),
    "rate_limit_error": _Kind(429, "rate_limit_error", "rate_limit_exceeded"),
    "api_error": _Kind(500, "server_error"),
    "timeout_error": _Kind(504, "server_error", "timeout"),
    "overloaded_error": _Kind(529, "server_error", "server_is_overloaded"),
}
# What Anthropic says in words alone. The first that is found in the message wins.
_SAID_IN_WORDS = (
    ("prompt is too long", "context_length_exceeded"),
    ("exceed context limit", "context_length_exceeded"),
    ("context window", "context_length_exceeded"),
    ("content filtering policy", "content_policy_violation"),
    ("credit balance is too low", "insufficient_quota"),
)
# "messages.1.content.0: Invalid `signature` in `thinking` block"
_PARAM = re.compile(r"([a-z_]+(?:\.\w+)*): ")


def parse_error(status: int, body: bytes) -> ProviderError | None:
    """Return what a refusal says; None where the body is not Anthropic's."""
    try:
        payload = json.loads(body)
    except ValueError:
        return None
    error = payload.get("error") if isinstance(payload, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        return None
    if payload.get("type") != "error" and (error.get("type") not in _KINDS or "code" in error):
        return None  # OpenAI's form has some of the types too, and a code beside them
    return _provider_error(error, status)


def stream_error(event: dict[str, Any]) -> ProviderError:
    """Return what an ``error`` event says, with the status that the same error has over HTTP."""
    error = event.get("error")
    return _provider_error(error if isinstance(error, dict) else {}, None)


def _provider_error(error: dict[str, Any], status: int | None) -> ProviderError:
    said = error.get("type")
    message = str(error.get("message") or said or "Anthropic reported an error without saying which")
    kind = _KINDS.get(str(said), _Kind(500, str(said) if said else "server_error"))
    status = status or kind.status
    code = kind.code
    if status < 500:
        lowered = message.lower()
        code = next((code for words, code in _SAID_IN_WORDS if words in lowered), code)
    param = _PARAM.match(message)
    if said == "not_found_error" and param is not None and param[1] == "model":
        code = "model_not_found"
    return ProviderError(
        message=message, status=status, type=kind.type, code=code, param=param[1] if param else None
    )
