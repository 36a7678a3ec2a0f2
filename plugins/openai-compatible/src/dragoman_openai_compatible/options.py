"""Options of a request: how long, how thoughtful, in which form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dragoman_openai_compatible.host import Host

__all__ = ["answer_format", "plain_options"]

Body = dict[str, Any]

_SAME_NAME = (
    "temperature", "top_p", "presence_penalty", "frequency_penalty", "parallel_tool_calls", "service_tier",
    "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options",
)  # fmt: skip
_NEEDS_TOOLS = frozenset({"parallel_tool_calls"})
_NEUTRAL = {"service_tier": "auto", "presence_penalty": 0, "frequency_penalty": 0}
_SCALE = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_LOGPROBS = "message.output_text.logprobs"


def plain_options(request: Mapping[str, Any], host: Host) -> Body:
    """Return what is one field here and one field there."""
    body: Body = {}
    for name in _SAME_NAME:
        value = request.get(name)
        idle = value is None or value == _NEUTRAL.get(name, ...)
        if not idle and (name not in _NEEDS_TOOLS or request.get("tools")):
            body[name] = value
    if request.get("max_output_tokens"):
        body[host.limit] = request["max_output_tokens"]
    wanted = request.get("top_logprobs") or 0
    if wanted or _LOGPROBS in (request.get("include") or ()):
        body["logprobs"] = True
    if wanted:
        body["top_logprobs"] = wanted
    verbosity = (request.get("text") or {}).get("verbosity")
    if verbosity:
        body["verbosity"] = verbosity
    effort = (request.get("reasoning") or {}).get("effort")
    if effort:
        body |= _EFFORTS[host.effort](_known(effort, host.efforts.split()))
    return body


def _known(effort: str, known: list[str]) -> str:
    """Return the nearest effort that a host knows, of two the greater."""
    if not known or effort in known or effort not in _SCALE:
        return effort
    place = _SCALE.index(effort)
    distances = {word: _SCALE.index(word) - place for word in known}
    return min(known, key=lambda word: (abs(distances[word]), -distances[word]))


def _as_a_word(effort: str) -> Body:
    return {"reasoning_effort": effort}


def _as_an_object(effort: str) -> Body:
    return {"reasoning": {"effort": effort}}


def _as_a_switch(effort: str) -> Body:
    if effort == "none":
        return {"thinking": {"type": "disabled"}}
    return {"thinking": {"type": "enabled"}, "reasoning_effort": effort}


_EFFORTS: Mapping[str, Callable[[str], Body]] = {
    "reasoning_effort": _as_a_word,
    "reasoning": _as_an_object,
    "thinking": _as_a_switch,
}


def answer_format(request: Mapping[str, Any], host: Host) -> tuple[Body, str]:
    """Return ``response_format`` for `text.format`, and what must be told in words to the same end."""
    form = (request.get("text") or {}).get("format") or {"type": "text"}
    if form["type"] == "text":
        return {}, ""
    if form["type"] == "json_schema" and host.structured == "json_schema":
        schema = {
            name: form[name]
            for name in ("name", "description", "schema", "strict")
            if form.get(name) is not None
        }
        return {"response_format": {"type": "json_schema", "json_schema": schema}}, ""
    words = ""
    if form["type"] == "json_schema":
        schema_text = json.dumps(form["schema"], ensure_ascii=False)
        words = (
            f"Answer with one JSON object and nothing else. It must match this JSON schema:\n{schema_text}"
        )
        if form.get("description"):
            words += f"\n{form['description']}"
    return {"response_format": {"type": "json_object"}}, words
