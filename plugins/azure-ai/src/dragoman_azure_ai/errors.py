"""Foundry's refusals: Azure's front, the models behind it, Anthropic's."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dragoman.errors import ProviderError
from dragoman_anthropic import errors as messages
from dragoman_azure import errors as azure
from dragoman_openai_compatible import errors as chat

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["parse_error"]

_POLICY = "content_policy_violation"
_WRONG_WIRE = "api_not_supported"
_ADVICE = (
    "the deployment is not reached this way: say what it speaks with azure_ai/chat/NAME, "
    "azure_ai/anthropic/NAME or azure_ai/responses/NAME"
)


def parse_error(status: int, body: bytes) -> ProviderError | None:
    """Return what a refusal says; None where it is in no dialect of Foundry's, such as a gateway's page.

    Azure's front: ``{"error": {"code", "message", "details"?, "innererror"?}}``, codes as words or as the
    status once more. Its check of parameters: ``{"status", "code", "message", "detail": {"loc", "input"}}``.
    Claude: ``{"type": "error", "error": {"type", "message"}}``. The models: whatever they say.
    """
    try:
        payload: Any = json.loads(body)
    except ValueError:
        return None
    if isinstance(payload, dict):
        # OpenAI's and Anthropic's errors share the names of their types: only Claude says what it is.
        read = (
            messages.parse_error(status, body)
            if payload.get("type") == "error"
            else _of_parameters(status, payload)
        )
        if read is not None:
            return read
    said = chat.parse_error(status, body)
    as_azure = azure.parse_error(status, body)
    if said is None or as_azure is None:
        return said
    if as_azure.code == _POLICY:
        said = replace(said, code=_POLICY)
    elif as_azure.code == _WRONG_WIRE:
        said = replace(said, message=f"{said.message.rstrip()} ({_ADVICE})")
    return replace(said, retry_after=as_azure.retry_after or said.retry_after)


def _of_parameters(status: int, said: Mapping[str, Any]) -> ProviderError | None:
    """Return what Foundry's check of parameters says: the place is in ``detail.loc``."""
    detail, message = said.get("detail"), said.get("message")
    place = detail.get("loc") if isinstance(detail, dict) else None
    if not isinstance(place, list) or not message or not isinstance(message, str):
        return None
    param = ".".join(str(step) for step in place if step != "body") or None
    code = said.get("code")
    return ProviderError(
        message=f"{message} ({param})" if param else message,
        status=status,
        type="invalid_request_error",
        code=code if isinstance(code, str) else None,
        param=param,
    )
