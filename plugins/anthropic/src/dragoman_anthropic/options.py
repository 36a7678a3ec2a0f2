"""Options of a request: how long, how thoughtful, in which form, how cached, for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.errors import BadRequestError
from dragoman_anthropic.blocks import JSON_TOOL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman_anthropic.models import Model
    from dragoman_anthropic.notes import Notes

__all__ = ["apply_format", "context_edits", "plain_options", "thinking_options"]

Body = dict[str, Any]

_LEAST_BUDGET = 1_024  # the API's own minimum
_BUDGETS = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 32_768, "max": 63_000}
_SERVICE_TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}
_JSON_ONLY = "Answer with one valid JSON object and nothing else: no explanation, no code fence."
_EDIT_BETAS = {"compact_": "compact-2026-01-12", "clear_": "context-management-2025-06-27"}


def thinking_options(request: Mapping[str, Any], model: Model, notes: Notes) -> Body:
    """Return ``max_tokens``, ``thinking`` and ``output_config`` for `reasoning` and `max_output_tokens`.

    A budget for thinking comes on top of the room for the answer, up to the model's limit.
    """
    limit = request.get("max_output_tokens")
    body: Body = {"max_tokens": limit or model.default_output}
    reasoning = request.get("reasoning") or {}
    effort = reasoning.get("effort")
    summary = reasoning.get("summary") or reasoning.get("generate_summary")
    if "thinking" in request or not (effort or summary):
        return body
    if model.thinking == "none":
        if effort not in {None, "none"}:
            notes.warn("this model does not think; reasoning was left out", "reasoning.effort")
        return body
    if model.thinking == "adaptive":
        return body | _adaptive(effort, summary, model, notes)
    if effort is None:
        notes.warn(
            "this model thinks only with reasoning.effort, so there is nothing to sum up", "reasoning.summary"
        )
    elif effort != "none":
        budget = _BUDGETS.get(effort)
        if budget is None:
            raise BadRequestError(
                f"reasoning.effort must be none or one of {', '.join(_BUDGETS)}", param="reasoning.effort"
            )
        if limit:
            body["max_tokens"] = max(limit, min(limit + budget, model.output_limit))
        room = min(limit or _LEAST_BUDGET, _LEAST_BUDGET)  # the budget must leave some for the answer
        budget = max(_LEAST_BUDGET, min(budget, body["max_tokens"] - room))
        body["thinking"] = {"type": "enabled", "budget_tokens": budget}
    return body


def _adaptive(effort: str | None, summary: str | None, model: Model, notes: Notes) -> Body:
    if effort == "none":
        return {"thinking": {"type": "disabled"}}
    thinking = {"type": "adaptive"}
    if summary:
        thinking["display"] = "summarized"
    if effort is None:
        return {"thinking": thinking}
    wire_effort = "low" if effort == "minimal" else effort
    if wire_effort not in model.efforts and wire_effort == "xhigh":
        notes.warn("this model has no effort 'xhigh'; 'high' was sent", "reasoning.effort")
        wire_effort = "high"
    return {"thinking": thinking, "output_config": {"effort": wire_effort}}


def apply_format(body: Body, request: Mapping[str, Any], model: Model) -> None:
    """Make the answer have the form that `text.format` demands.

    Models without structured output are given a tool with the schema, and its input is the answer. To demand
    the call would be refused beside thinking, so there it is only asked for.
    """
    form = (request.get("text") or {}).get("format") or {"type": "text"}
    if form["type"] == "json_object":
        body["system"] = [*body.get("system", ()), {"type": "text", "text": _JSON_ONLY}]
    if form["type"] != "json_schema":
        return
    schema = _closed(form["schema"])
    if model.structured:
        body["output_config"] = {
            **body.get("output_config", {}),
            "format": {"type": "json_schema", "schema": schema},
        }
        return
    description = "Give the answer by calling this tool: its input is the answer. " + (
        form.get("description") or ""
    )
    tool = {"name": JSON_TOOL, "description": description.strip(), "input_schema": schema}
    others = body.get("tools") or []
    body["tools"] = [*others, tool]
    may_call_others = bool(others) and (body.get("tool_choice") or {}).get("type") != "none"
    if body.get("thinking", {}).get("type") == "enabled":
        body.pop("tool_choice", None)
        demand = f"Give your final answer only by calling the tool {JSON_TOOL}."
        body["system"] = [*body.get("system", ()), {"type": "text", "text": demand}]
    elif not may_call_others:
        body["tool_choice"] = {"type": "tool", "name": JSON_TOOL}
    elif (body.get("tool_choice") or {}).get("type") != "tool":
        body["tool_choice"] = {"type": "any"}


def _closed(schema: Any) -> Any:
    """Return the schema with its objects closed: the API takes no others, and what fits it fits both."""
    if isinstance(schema, list):
        return [_closed(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {
        name: value if name in {"enum", "const", "default"} else _closed(value)
        for name, value in schema.items()
    }
    if closed.get("type") == "object" and "properties" in closed:
        closed.setdefault("additionalProperties", False)
    return closed


def plain_options(request: Mapping[str, Any], notes: Notes) -> Body:
    """Return what is one field here and one field there."""
    body: Body = {name: request[name] for name in ("temperature", "top_p") if request.get(name) is not None}
    if body.get("temperature", 0) > 1:
        raise BadRequestError(
            f"Claude's temperature goes from 0 to 1, not to {body['temperature']:g}", param="temperature"
        )
    user = request.get("safety_identifier") or request.get("user")
    if user:
        body["metadata"] = {"user_id": user}
    if tier := request.get("service_tier"):
        if tier in _SERVICE_TIERS:
            body["service_tier"] = _SERVICE_TIERS[tier]
        else:
            notes.warn(f"Anthropic has no service tier {tier!r}; it was left out", "service_tier")
    cache = request.get("prompt_cache_options") or {}
    if cache.get("mode") == "implicit":
        # OpenAI's ttl is the least that a prefix lives, 30 minutes or more; here it is 5 minutes or 1 hour.
        body["cache_control"] = {"type": "ephemeral", **({"ttl": "1h"} if cache.get("ttl") else {})}
    return body


def context_edits(request: Mapping[str, Any], notes: Notes) -> Body:
    """Return ``context_management`` for a list of OpenAI's entries, or of Anthropic's own edits.

    Raises:
        BadRequestError: an entry that is neither.
    """
    entries = request.get("context_management")
    if not entries:
        return {}
    if isinstance(entries, dict):
        entries = entries.get("edits") or []
    edits = [_edit(entry, f"context_management[{index}]") for index, entry in enumerate(entries)]
    for edit in edits:
        for prefix, beta in _EDIT_BETAS.items():
            if edit["type"].startswith(prefix):
                notes.beta(beta)
    return {"context_management": {"edits": edits}}


def _edit(entry: dict[str, Any], param: str) -> dict[str, Any]:
    if entry["type"].startswith(tuple(_EDIT_BETAS)):
        return entry
    if entry["type"] != "compaction":
        raise BadRequestError(f"Anthropic has no context edit of the type {entry['type']!r}", param=param)
    edit: dict[str, Any] = {"type": "compact_20260112"}
    if entry.get("compact_threshold"):
        edit["trigger"] = {"type": "input_tokens", "value": entry["compact_threshold"]}
    return edit
