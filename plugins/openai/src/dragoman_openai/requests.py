"""Requests to OpenAI: as the caller wrote them, addressed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.hookspecs import HTTPRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.hookspecs import Target

__all__ = ["responses_body", "translate_request"]

_HEADERS = {"organization": "openai-organization", "project": "openai-project"}
_PENALTIES = frozenset({"presence_penalty", "frequency_penalty"})


def translate_request(request: Mapping[str, Any], target: Target) -> HTTPRequest:
    """Return ``POST {api_base}/responses`` with the request as its body."""
    headers = {"authorization": f"Bearer {target.get('api_key')}"}
    headers.update({header: str(target.get(name)) for name, header in _HEADERS.items() if target.get(name)})
    return HTTPRequest(
        url=f"{str(target.get('api_base')).rstrip('/')}/responses",
        json=responses_body(request, target),
        headers=headers,
    )


def responses_body(request: Mapping[str, Any], target: Target) -> dict[str, Any]:
    """Return the request without what OpenAI refuses to hear, for the model that the target names.

    A penalty of 0 asks for nothing, so the parameter table lets it pass; OpenAI refuses it all the same. Any
    other that comes here is one that the caller insists on.
    """
    body = {name: value for name, value in request.items() if not _is_idle(name, value)}
    body["model"] = target.model
    return body


def _is_idle(name: str, value: Any) -> bool:
    return name == "client_metadata" or (name in _PENALTIES and not value)
