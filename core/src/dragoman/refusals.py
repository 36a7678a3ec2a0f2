"""From what an upstream said to the exception that the caller gets."""

from __future__ import annotations

import html
import json
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from dragoman.errors import APIError, ProviderError, error_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.attempts.secrecy import Redactor
    from dragoman.hookspecs import Target
    from dragoman.providers import Provider

__all__ = ["generic_refusal", "refusal_error", "request_id_of", "retry_after_seconds"]

_LONGEST_TEXT = 500


def refusal_error(
    said: ProviderError,
    headers: Mapping[str, str],
    redact: Redactor,
    *,
    provider: Provider,
    target: Target,
    body: bytes = b"",
) -> APIError:
    """Return the exception for an upstream's error, with everything a caller can act on, without secrets."""
    hint = {"true": True, "false": False}.get(headers.get("x-should-retry", "").lower())
    return error_for(
        redact.error(said),
        provider=provider.name,
        model=target.model,
        request_id=request_id_of(headers, provider),
        retry_after=retry_after_seconds(headers),
        retryable=hint,
        body=redact.json(_parsed(body)) if body else None,
    )


def request_id_of(headers: Mapping[str, str], provider: Provider) -> str | None:
    """Return the upstream's own id of a request, None where it gave none."""
    return next((headers[name] for name in provider.info.request_id_headers if name in headers), None)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return what ``retry-after-ms`` or ``retry-after`` (seconds or an HTTP date) ask for, in seconds."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = max(0.0, float(value) * scale)
        except ValueError:
            pass
        else:
            if seconds or name == "retry-after" or "retry-after" not in headers:
                return seconds
            continue  # rounded down to nothing, beside seconds that say more
        try:
            return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
        except (TypeError, ValueError):
            continue
    return None


def generic_refusal(status: int, body: bytes) -> ProviderError:
    """Read an error body that the plugin did not recognise: the common JSON dialects, HTML, plain text.

    Gateways and load balancers answer in their own words before a request reaches the provider.
    """
    payload = _parsed(body)
    if isinstance(payload, list) and len(payload) == 1:
        (payload,) = payload  # Google wraps the refusal of a stream in a list
    if isinstance(payload, dict):
        details = payload.get("error", payload)
        if isinstance(details, str):
            details = {"message": details, "code": payload.get("code")}
        if isinstance(details, dict):
            message = details.get("message") or details.get("Message") or details.get("detail")
            if message:
                return ProviderError(
                    message=str(message),
                    status=status,
                    type=_text(details.get("type")),
                    code=_text(details.get("code")),
                    param=_text(details.get("param")),
                )
    text = _readable(payload if isinstance(payload, str) else json.dumps(payload)) or "no further details"
    return ProviderError(message=f"HTTP {status}: {text}", status=status)


def _parsed(body: bytes) -> Any:
    text = body.decode(errors="replace")
    try:
        return json.loads(text)
    except ValueError:
        return text


def _readable(text: str) -> str:
    """Return an HTML page's title, or the text itself, shortened."""
    lowered = text.lower()
    start, end = lowered.find("<title"), lowered.find("</title>")
    if 0 <= start < end:
        text = html.unescape(text[text.find(">", start) + 1 : end])
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."


def _text(value: object) -> str | None:
    return None if value is None else str(value)
