"""Refusals of echo: ``{"error": {"message", "type", "code", "param"}}``; `Retry-After` is a header."""

from __future__ import annotations

import json
from typing import Any

from dragoman.errors import ProviderError

__all__ = ["parse_error", "provider_error"]


def parse_error(status: int, body: bytes) -> ProviderError | None:
    """Return what a refusal says; None where the body is not echo's."""
    try:
        error = json.loads(body)["error"]
        return provider_error({**error, "status": status})
    except (ValueError, KeyError, TypeError):
        return None


def provider_error(error: dict[str, Any]) -> ProviderError:
    """Return an `error` object of the wire, of a refusal or inside a stream, in core's form."""
    return ProviderError(
        message=error["message"],
        status=error["status"],
        type=error.get("type"),
        code=error.get("code"),
        param=error.get("param"),
        retry_after=error.get("retry_after"),
    )
