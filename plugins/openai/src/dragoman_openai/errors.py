"""OpenAI's refusals, and those of servers that speak its API."""

from __future__ import annotations

import json
import re
from typing import Any

from dragoman.errors import ProviderError

__all__ = ["parse_error"]

_TOO_MANY_REQUESTS = 429
_CONTEXT = "context_length_exceeded"
_POLICY = "content_policy_violation"
_QUOTA = "insufficient_quota"
# Other codes for what has a code, and an exception, of its own.
_CODES = {
    "content_filter": _POLICY,
    "moderation_blocked": _POLICY,
    "image_content_policy_violation": _POLICY,
    "bio_policy": _POLICY,
    "misalignment_policy_violation": _POLICY,
}
# What is said in words alone, under a code that says less. The first that is found in the message wins.
_SAID_IN_WORDS = (
    ("exceeds the context window", _CONTEXT),
    ("maximum context length", _CONTEXT),
    ("violating our usage polic", _POLICY),
    ("violates our usage polic", _POLICY),
    ("rejected as a result of our safety system", _POLICY),
)
_VAGUE = frozenset({None, "invalid_prompt", "invalid_request_error", "invalid_value"})
# "Please try again in 1m2.5s." or "... in 120ms."
_WAIT = re.compile(r"try again in (?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)(ms|s))?")


def parse_error(status: int, body: bytes) -> ProviderError | None:
    """Return what a refusal says; None where it is in another dialect, such as a load balancer's page.

    OpenAI: ``{"error": {"message", "type", "param", "code"}}``, whatever the content type says, at times with
    `status` beside it. Servers that speak its API: ``{"error": "..."}`` with `code` beside it (xAI).
    """
    try:
        payload = json.loads(body)
    except ValueError:
        return None
    said = payload.get("error") if isinstance(payload, dict) else None
    if isinstance(said, str):
        said = {"message": said, "code": payload.get("code")}
    if not isinstance(said, dict) or not said.get("message"):
        return None
    message, type_ = str(said["message"]), _text(said.get("type"))
    return ProviderError(
        message=message,
        status=status,
        type=type_,
        code=_code(_text(said.get("code")), type_, message) if status < 500 else _text(said.get("code")),
        param=_text(said.get("param")),
        retry_after=_seconds(message) if status == _TOO_MANY_REQUESTS else None,
    )


def _code(code: str | None, type_: str | None, message: str) -> str | None:
    if type_ == _QUOTA:
        return _QUOTA
    if code in _VAGUE:
        lowered = message.lower()
        code = next((meant for words, meant in _SAID_IN_WORDS if words in lowered), code)
    return _CODES.get(code, code) if code is not None else None


def _seconds(message: str) -> float | None:
    found = _WAIT.search(message)
    if found is None or not any(found.groups()):
        return None
    hours, minutes, amount, unit = found.groups()
    seconds = float(amount or 0) * (0.001 if unit == "ms" else 1.0)
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + seconds


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
