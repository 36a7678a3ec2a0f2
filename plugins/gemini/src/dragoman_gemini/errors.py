"""Google's errors in OpenAI's vocabulary, from a refusal's body or from the middle of a stream."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from dragoman.errors import ProviderError

__all__ = ["parse_error", "provider_error"]


class _Kind(NamedTuple):
    """What one ``error.status`` of Google's is called at OpenAI."""

    http: int
    """The HTTP status that stands for it."""
    type: str
    code: str | None = None


_KINDS = {
    "INVALID_ARGUMENT": _Kind(400, "invalid_request_error"),
    "FAILED_PRECONDITION": _Kind(400, "invalid_request_error"),
    "OUT_OF_RANGE": _Kind(400, "invalid_request_error"),
    "UNAUTHENTICATED": _Kind(401, "authentication_error", "invalid_api_key"),
    "PERMISSION_DENIED": _Kind(403, "permission_error"),
    "NOT_FOUND": _Kind(404, "not_found_error"),
    "ALREADY_EXISTS": _Kind(409, "invalid_request_error"),
    "ABORTED": _Kind(409, "server_error"),
    "RESOURCE_EXHAUSTED": _Kind(429, "rate_limit_error", "rate_limit_exceeded"),
    "CANCELLED": _Kind(499, "server_error", "cancelled"),
    "INTERNAL": _Kind(500, "server_error"),
    "UNKNOWN": _Kind(500, "server_error"),
    "DATA_LOSS": _Kind(500, "server_error"),
    "UNIMPLEMENTED": _Kind(501, "server_error"),
    "UNAVAILABLE": _Kind(503, "server_error", "server_is_overloaded"),
    "DEADLINE_EXCEEDED": _Kind(504, "server_error", "timeout"),
}
_BY_NUMBER = {kind.http: kind for kind in reversed(_KINDS.values())}
# What Google says in words alone. The first that is found in the message wins.
_SAID_IN_WORDS = (
    (re.compile(r"token count.* exceeds the maximum number of tokens"), "context_length_exceeded"),
    (re.compile(r"api key (not valid|expired|not found)"), "invalid_api_key"),
    (re.compile(r"models?[/ ].* (is|was) not found"), "model_not_found"),
    (re.compile(r"publisher model .* not found"), "model_not_found"),
)
_REASONS = {"API_KEY_INVALID": "invalid_api_key"}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)s")


def parse_error(status: int, body: bytes) -> ProviderError | None:
    """Return what a refusal says; None where the body is not Google's."""
    try:
        payload = json.loads(body)
    except ValueError:
        return None
    if isinstance(payload, list) and payload:
        payload = payload[0]  # how streams without SSE are refused
    error = payload.get("error") if isinstance(payload, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        return None
    return provider_error(error, status)


def provider_error(error: dict[str, Any], status: int | None = None) -> ProviderError:
    """Return what an ``error`` object says; inside a stream its own number is the status."""
    said = error.get("status")
    number = error.get("code")
    kind = _KINDS.get(str(said))
    if status is None:
        status = number if isinstance(number, int) and 400 <= number < 600 else (kind.http if kind else 500)
    kind = kind or _BY_NUMBER.get(status) or _Kind(status, "server_error")
    message = str(error.get("message") or said or "Google reported an error without saying which")
    code, param, retry_after = kind.code, None, None
    if status < 500:
        lowered = message.lower()
        code = next((code for words, code in _SAID_IN_WORDS if words.search(lowered)), code)
    for detail in _objects(error.get("details")):
        code = _REASONS.get(str(detail.get("reason")), code)
        if wait := _DURATION.fullmatch(str(detail.get("retryDelay"))):
            retry_after = float(wait[1])
        for violation in _objects(detail.get("fieldViolations")):
            if param is None and violation.get("field"):
                param = str(violation["field"])
    return ProviderError(
        message=message, status=status, type=kind.type, code=code, param=param, retry_after=retry_after
    )


def _objects(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
