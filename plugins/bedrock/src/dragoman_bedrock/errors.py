"""Bedrock's errors in OpenAI's vocabulary: from a refusal, or from an exception frame inside a stream.

The type stands in the header ``x-amzn-errortype``, often with the tail of an address behind it; in the body
as ``__type``; or nowhere, and the status alone speaks.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from dragoman.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["parse_error", "stream_error"]


class _Kind(NamedTuple):
    """What one of AWS's exceptions is called at OpenAI."""

    status: int
    """The status that it has over HTTP."""
    type: str
    code: str | None = None


_KEY = _Kind(403, "authentication_error", "invalid_api_key")
_THROTTLED = _Kind(429, "rate_limit_error", "rate_limit_exceeded")
_UNAVAILABLE = _Kind(503, "server_error", "server_is_overloaded")
_MODEL_FAILED = _Kind(424, "server_error", "model_error")
# Without "Exception", in lower case: streams begin the names with a small letter.
_KINDS = {
    "validation": _Kind(400, "invalid_request_error"),
    "servicequotaexceeded": _Kind(400, "insufficient_quota", "insufficient_quota"),
    "unrecognizedclient": _KEY,
    "invalidsignature": _KEY,
    "incompletesignature": _KEY,
    "missingauthenticationtoken": _KEY,
    "expiredtoken": _Kind(403, "authentication_error", "expired_token"),
    "accessdenied": _Kind(403, "permission_error", "access_denied"),
    "resourcenotfound": _Kind(404, "not_found_error", "model_not_found"),
    "modeltimeout": _Kind(408, "server_error", "timeout"),
    "modelerror": _MODEL_FAILED,
    "modelstreamerror": _MODEL_FAILED,
    "throttling": _THROTTLED,
    "modelnotready": _Kind(429, "rate_limit_error", "model_not_ready"),
    "internalserver": _Kind(500, "server_error"),
    "internalfailure": _Kind(500, "server_error"),
    "serviceunavailable": _UNAVAILABLE,
}
_BY_STATUS = {
    400: _KINDS["validation"],
    401: _Kind(401, "authentication_error", "invalid_api_key"),
    403: _Kind(403, "permission_error"),
    404: _KINDS["resourcenotfound"],
    424: _MODEL_FAILED,
    429: _THROTTLED,
    503: _UNAVAILABLE,
}
# What is said in words alone; the first that is found counts.
_SAID_IN_WORDS = (
    ("input is too long", "context_length_exceeded"),
    ("prompt is too long", "context_length_exceeded"),
    ("input tokens exceed", "context_length_exceeded"),
    ("exceeds maximum length", "context_length_exceeded"),
    ("too many input tokens", "context_length_exceeded"),
    ("context window", "context_length_exceeded"),
    ("maximum context length", "context_length_exceeded"),
    ("exceed context limit", "context_length_exceeded"),
    ("model identifier is invalid", "model_not_found"),
    ("content filtering policy", "content_policy_violation"),
)
_TOO_MANY_REQUESTS, _SERVER_ERROR = 429, 500


def parse_error(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError | None:
    """Return what a refusal says; None where the body is not Bedrock's."""
    try:
        payload = json.loads(body)
    except ValueError:
        payload = None
    if not isinstance(payload, dict):
        payload = {}
    said = _type_in(headers.get("x-amzn-errortype")) or _type_in(payload.get("__type"))
    message = _message(payload)
    if said not in _KINDS and (message is None or "error" in payload):
        return None  # a proxy's words, or another API's
    return _provider_error(said, message, payload, status)


def stream_error(type_: str, data: Any) -> ProviderError:
    """Return what an exception frame says, with the status that the same error has over HTTP."""
    payload = data if isinstance(data, dict) else {}
    return _provider_error(_type_in(type_), _message(payload), payload, None)


def _type_in(value: Any) -> str:
    """Return ``validation`` for ``com.amazon.coral#ValidationException:http://internal...``."""
    if not isinstance(value, str):
        return ""
    name = value.partition(":")[0].rpartition("#")[2].strip()
    return name.removesuffix("Exception").lower()


def _message(payload: Mapping[str, Any]) -> str | None:
    found = payload.get("message") or payload.get("Message")
    return found if isinstance(found, str) else None


def _provider_error(
    said: str, message: str | None, payload: Mapping[str, Any], status: int | None
) -> ProviderError:
    kind = _KINDS.get(said) or _kind_of_status(status or _SERVER_ERROR)
    status = status or kind.status
    words = message or f"Bedrock reported {said or 'an error'} without saying more"
    if kind is _MODEL_FAILED:
        # What the model itself answered decides whether another attempt can help.
        original = payload.get("originalStatusCode")
        if isinstance(original, int) and (original == _TOO_MANY_REQUESTS or original >= _SERVER_ERROR):
            status = original
        details = payload.get("originalMessage")
        if isinstance(details, str) and details and details not in words:
            words = f"{words} ({details})"
    code = kind.code
    if status < _SERVER_ERROR:
        lowered = words.lower()
        code = next((code for part, code in _SAID_IN_WORDS if part in lowered), code)
    return ProviderError(message=words, status=status, type=kind.type, code=code)


def _kind_of_status(status: int) -> _Kind:
    type_ = "invalid_request_error" if status < _SERVER_ERROR else "server_error"
    return _BY_STATUS.get(status) or _Kind(status, type_)
