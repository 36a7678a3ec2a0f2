"""Requests to OpenAI: as the caller wrote them, addressed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.hookspecs import Compacted, HTTPRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.hookspecs import Target

__all__ = [
    "compaction_body",
    "parse_compaction",
    "parse_token_count",
    "responses_body",
    "token_count_body",
    "translate_compaction",
    "translate_request",
    "translate_token_count",
]

_HEADERS = {"organization": "openai-organization", "project": "openai-project"}
_COUNTED = frozenset(
    {"model", "input", "instructions", "conversation", "previous_response_id", "tools", "tool_choice", "text",
     "reasoning", "truncation", "parallel_tool_calls", "personality"}
)  # fmt: skip
_COMPACTED = frozenset(
    {"model", "input", "instructions", "previous_response_id", "service_tier", "image", "prompt_cache_key",
     "prompt_cache_options", "prompt_cache_retention"}
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


def translate_compaction(request: Mapping[str, Any], target: Target) -> HTTPRequest:
    """Return ``POST {api_base}/responses/compact`` with what it takes of the request."""
    return _addressed("responses/compact", compaction_body(request, target), target)


def parse_compaction(payload: Any) -> Compacted:
    """Return the window of an answer of ``/responses/compact``."""
    return Compacted(output=payload["output"], usage=payload.get("usage"))


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


def compaction_body(request: Mapping[str, Any], target: Target) -> dict[str, Any]:
    """Return the part of a request that compaction takes."""
    body = responses_body(request, target)
    return {name: value for name, value in body.items() if name in _COMPACTED}


def _is_idle(name: str, value: Any) -> bool:
    return name == "client_metadata" or (name in _PENALTIES and not value)
