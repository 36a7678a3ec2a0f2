"""Requests to OpenAI: as the caller wrote them, addressed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.hookspecs import HTTPRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.hookspecs import Target

__all__ = [
    "parse_token_count",
    "responses_body",
    "token_count_body",
    "translate_request",
    "translate_token_count",
]

_HEADERS = {"organization": "openai-organization", "project": "openai-project"}
_COUNTED = frozenset(
    {"model", "input", "instructions", "conversation", "previous_response_id", "tools", "tool_choice", "text",
     "reasoning", "truncation", "parallel_tool_calls", "personality"}
)  # fmt: skip
_PENALTIES = frozenset({"presence_penalty", "frequency_penalty"})


def translate_request(request: Mapping[str, Any], target: Target) -> HTTPRequest:
    """Return ``POST {api_base}/responses`` with the request as its body."""
    return _addressed("responses", responses_body(request, target), target)


def translate_token_count(request: Mapping[str, Any], target: Target) -> HTTPRequest:
    """Return ``POST {api_base}/responses/input_tokens`` with what it counts of the request."""
    return _addressed("responses/input_tokens", token_count_body(request, target), target)


def parse_token_count(payload: Any) -> int:
    """Return the count of an answer of ``/responses/input_tokens``."""
    count: int = payload["input_tokens"]
    return count


def _addressed(path: str, body: dict[str, Any], target: Target) -> HTTPRequest:
    headers = {"authorization": f"Bearer {target.get('api_key')}"}
    headers.update({header: str(target.get(name)) for name, header in _HEADERS.items() if target.get(name)})
    return HTTPRequest(
        url=f"{str(target.get('api_base')).rstrip('/')}/{path}",
        json=body,
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


def token_count_body(request: Mapping[str, Any], target: Target) -> dict[str, Any]:
    """Return the part of a request that its input's tokens depend on."""
    body = responses_body(request, target)
    return {name: value for name, value in body.items() if name in _COUNTED}


def _is_idle(name: str, value: Any) -> bool:
    return name == "client_metadata" or (name in _PENALTIES and not value)
