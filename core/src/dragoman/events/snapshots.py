"""The Response before it has any output: the request's settings echoed, every key of the standard there.

The keys and their defaults are those that Open Responses requires (``ResponseResource`` of its schema):
several of OpenAI's nullable fields are numbers there, so they are given their effective defaults.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dragoman.memory.chains import conversation_id

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["initial_response"]

_CREDENTIALS = frozenset({"authorization", "headers"})
_ECHOED_IF_GIVEN = ("user", "prompt", "prompt_cache_retention", "context_management")


def initial_response(
    request: Mapping[str, Any],
    *,
    response_id: str,
    provider: str,
    model: str,
    warnings: list[dict[str, Any]] | None = None,
    stored: bool = False,
    created_at: int | None = None,
) -> dict[str, Any]:
    """Return the Response object for a request that has just begun.

    Args:
        request: the caller's request, validated, before anything was rewritten for the provider.
        response_id: the id under which the caller knows this response.
        provider: the provider that is asked.
        model: the model that is asked; replaced by what the upstream says answered.
        warnings: what the parameter policy left out.
        stored: whether it will be found under that id.
        created_at: Unix time; None: now.
    """
    given = _without_nulls(request)
    reasoning = given.get("reasoning")
    response: dict[str, Any] = {
        "id": response_id,
        "object": "response",
        "created_at": int(time.time()) if created_at is None else created_at,
        "completed_at": None,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [],
        "usage": None,
        "previous_response_id": given.get("previous_response_id"),
        "instructions": given.get("instructions"),
        "tools": [_echo_tool(tool) for tool in given.get("tools", ())],
        "tool_choice": given.get("tool_choice", "auto"),
        "parallel_tool_calls": given.get("parallel_tool_calls", True),
        "max_tool_calls": given.get("max_tool_calls"),
        "max_output_tokens": given.get("max_output_tokens"),
        "reasoning": {"effort": None, "summary": None, **reasoning} if reasoning else None,
        "text": {"format": {"type": "text"}, **_without_nulls(given.get("text", {}))},
        "temperature": given.get("temperature", 1.0),
        "top_p": given.get("top_p", 1.0),
        "top_logprobs": given.get("top_logprobs", 0),
        "presence_penalty": given.get("presence_penalty", 0),
        "frequency_penalty": given.get("frequency_penalty", 0),
        "truncation": given.get("truncation", "disabled"),
        "store": stored,
        "background": given.get("background", False),
        "service_tier": given.get("service_tier", "default"),
        "metadata": given.get("metadata", {}),
        "safety_identifier": given.get("safety_identifier"),
        "prompt_cache_key": given.get("prompt_cache_key"),
        "dragoman": {
            "provider": provider,
            "model": model,
            "attempts": [],
            "cost": None,
            "warnings": warnings or [],
        },
    }
    if conversation := conversation_id(request):
        response["conversation"] = {"id": conversation}
    response.update({name: given[name] for name in _ECHOED_IF_GIVEN if name in given})
    return response


def _without_nulls(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: inner for name, inner in value.items() if inner is not None}


def _echo_tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    if tool.get("type") == "function":
        return {"description": None, "parameters": None, "strict": None, **tool}
    # What opens an MCP server is not shown again, as at OpenAI: responses are stored and passed on.
    return {name: value for name, value in tool.items() if name not in _CREDENTIALS}
