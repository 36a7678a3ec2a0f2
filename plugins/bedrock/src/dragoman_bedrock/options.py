"""Options of a request: how long, how random, in which form, how cached."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dragoman.errors import BadRequestError
from dragoman_bedrock.thinking import think

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman_bedrock.models import Model
    from dragoman_bedrock.notes import Notes

__all__ = ["JSON_TOOL", "OWN_BODY", "apply_format", "implicit_cache", "inference_config", "service_tier"]

Body = dict[str, Any]

JSON_TOOL = "dragoman_json_response"
"""The tool by which models without structured output answer in a schema: its input is the answer."""

OWN_BODY = (
    "guardrailConfig",
    "performanceConfig",
    "requestMetadata",
    "promptVariables",
    "additionalModelResponseFieldPaths",
)
"""Parameters that only Converse has; sent under the same names."""
_SAMPLING = {"max_output_tokens": "maxTokens", "temperature": "temperature", "top_p": "topP"}
_SERVICE_TIERS = ("default", "flex", "priority", "reserved")
_JSON_ONLY = "Answer with one valid JSON object and nothing else: no explanation, no code fence."


# ---- length, sampling ---------------------------------------------------------------------


def inference_config(request: Mapping[str, Any], model: Model, notes: Notes) -> Body:
    """Return ``inferenceConfig``; what only this family of models understands goes into the notes' fields.

    Raises:
        BadRequestError: a value that Bedrock does not take.
    """
    config = {wire: request[name] for name, wire in _SAMPLING.items() if request.get(name) is not None}
    if config.get("temperature", 0) > 1:
        raise BadRequestError(
            f"temperature goes from 0 to 1 on Bedrock, not to {config['temperature']:g}", param="temperature"
        )
    stop = request.get("stop")
    if stop is not None:
        config["stopSequences"] = [stop] if isinstance(stop, str) else stop
    if request.get("top_k") is not None:
        top_k = request["top_k"]
        notes.add_fields({"inferenceConfig": {"topK": top_k}} if model.family == "nova" else {"top_k": top_k})
    think(request, model, config, notes)
    return config


# ---- form -------------------------------------------------------------------------------------------


def apply_format(body: Body, request: Mapping[str, Any], model: Model, notes: Notes) -> None:
    """Make the answer have the form that `text.format` demands.

    Models without structured output are given a tool with the schema, and its input is the answer. Where a
    call cannot be demanded (beside Claude's thinking, or at all), it is asked for.
    """
    form = (request.get("text") or {}).get("format") or {"type": "text"}
    if form["type"] == "json_object":
        body["system"] = [*body.get("system", ()), {"text": _JSON_ONLY}]
    if form["type"] != "json_schema":
        return
    schema = _closed(form["schema"])
    if model.structured:
        structure = {"schema": json.dumps(schema, ensure_ascii=False), "name": form.get("name") or "response"}
        if form.get("description"):
            structure["description"] = form["description"]
        text_format = {"type": "json_schema", "structure": {"jsonSchema": structure}}
        body["outputConfig"] = {"textFormat": text_format}
        return
    description = (
        f"Give the answer by calling this tool: its input is the answer. {form.get('description') or ''}"
    )
    spec = {"name": JSON_TOOL, "description": description.strip(), "inputSchema": {"json": schema}}
    config = body.get("toolConfig") or {"tools": []}
    choice = config.get("toolChoice")
    others = bool(config["tools"]) and request.get("tool_choice") != "none"
    thinks = (notes.fields.get("thinking") or {}).get("type") == "enabled"
    body["toolConfig"] = {"tools": [*config["tools"], {"toolSpec": spec}]}
    if thinks or not model.demands:
        demand = f"Give your final answer only by calling the tool {JSON_TOOL}."
        body["system"] = [*body.get("system", ()), {"text": demand}]
    elif others:
        body["toolConfig"]["toolChoice"] = choice if choice and "tool" in choice else {"any": {}}
    elif "tool" in model.demands:
        body["toolConfig"]["toolChoice"] = {"tool": {"name": JSON_TOOL}}
    else:
        body["toolConfig"] = {"tools": [{"toolSpec": spec}], "toolChoice": {"any": {}}}


def _closed(schema: Any) -> Any:
    """Return the schema with its objects closed: Bedrock takes no others, and what fits it fits both."""
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


# ---- service, caching -------------------------------------------------------------------------------


def service_tier(request: Mapping[str, Any], notes: Notes) -> Body:
    """Return ``serviceTier`` for the tiers that Bedrock has."""
    tier = request.get("service_tier")
    if tier in {None, "auto"}:
        return {}
    if tier not in _SERVICE_TIERS:
        notes.warn(f"Bedrock has no service tier {tier!r}; it was left out", "service_tier")
        return {}
    return {"serviceTier": {"type": tier}}


def implicit_cache(body: Body, request: Mapping[str, Any], model: Model, notes: Notes) -> None:
    """Set a cache point behind the last turn of the user, where `prompt_cache_options` asks for one."""
    options = request.get("prompt_cache_options") or {}
    turns = [message for message in body["messages"] if message["role"] == "user" and message["content"]]
    if options.get("mode") != "implicit" or not turns or "cachePoint" in turns[-1]["content"][-1]:
        return
    if not model.family:
        notes.warn("only Claude and Nova cache prompts; the option was left out", "prompt_cache_options")
        return
    # OpenAI's ttl is the least that a prefix lives, 30 minutes or more; here it is 5 minutes or 1 hour.
    ttl = {"ttl": "1h"} if options.get("ttl") else {}
    turns[-1]["content"].append({"cachePoint": {"type": "default", **ttl}})
