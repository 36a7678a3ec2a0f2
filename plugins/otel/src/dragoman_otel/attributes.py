"""What a record is by the conventions: names of attributes, and of what stands in them.

The conventions are those of https://github.com/open-telemetry/semantic-conventions-genai, in development as
they are; names that begin with ``dragoman.`` are our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dragoman.records.record import Record

__all__ = ["common_attributes", "error_type", "finish_reason", "operation", "span_attributes", "streamed"]

_OPERATIONS = {"responses": "chat"}
_PROVIDERS = {
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "vertex_ai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
"""Prefixes of dragoman's that are called otherwise there."""
_SETTINGS = {
    "max_output_tokens": ("gen_ai.request.max_tokens", int),
    "temperature": ("gen_ai.request.temperature", float),
    "top_p": ("gen_ai.request.top_p", float),
}
_USAGE = {
    "gen_ai.usage.input_tokens": ("input_tokens",),
    "gen_ai.usage.output_tokens": ("output_tokens",),
    "gen_ai.usage.cache_read.input_tokens": ("input_tokens_details", "cached_tokens"),
    "gen_ai.usage.cache_write.input_tokens": ("input_tokens_details", "cache_write_tokens"),
    "gen_ai.usage.cache_creation.input_tokens": ("input_tokens_details", "cache_write_tokens"),  # as it was
    "gen_ai.usage.reasoning.output_tokens": ("output_tokens_details", "reasoning_tokens"),
}
_OUTPUT_TYPES = {"text": "text", "json_object": "json", "json_schema": "json"}
_INCOMPLETE = {"max_output_tokens": "length", "content_filter": "content_filter"}
_STREAMED = frozenset({"stream", "websocket"})


def operation(record: Record) -> str:
    """Return the operation's name: "chat" for responses, whatever the wire is; else the record's own."""
    return _OPERATIONS.get(record.operation, record.operation)


def streamed(record: Record) -> bool:
    """Return whether the caller read events."""
    return record.mode in _STREAMED


def error_type(record: Record) -> str | None:
    """Return the error that a call ended with: its code, else its status; None where there is none."""
    error = record.error
    if error is None:
        return "_OTHER" if record.outcome == "failed" else None
    return str(error.get("code") or error.get("status") or error.get("type") or "_OTHER")


def finish_reason(record: Record) -> str | None:
    """Return why the model ended; None where nothing of it had come."""
    response = record.response
    if response is None:
        return None
    if record.outcome == "completed":
        called = any(
            item.get("type", "").endswith("_call") and "call_id" in item for item in response["output"]
        )
        return "tool_call" if called else "stop"
    if record.outcome == "incomplete":
        reason = str((response.get("incomplete_details") or {}).get("reason") or "length")
        return _INCOMPLETE.get(reason, reason)
    return "error"


def common_attributes(record: Record) -> dict[str, Any]:
    """Return what spans and measurements have in common, all of few values."""
    host, _, port = (record.address or "").rpartition(":")
    asked = record.attempts[-1]["model"].partition("/")[2] if record.attempts else record.model
    told = {
        "gen_ai.operation.name": operation(record),
        "gen_ai.provider.name": _PROVIDERS.get(record.provider, record.provider),
        "gen_ai.request.model": asked,
        "gen_ai.response.model": None if record.response is None else record.model,
        "server.address": host.strip("[]") or record.address,
        "server.port": int(port) if host else None,
        "error.type": error_type(record),
    }
    return {name: value for name, value in told.items() if value is not None}


def span_attributes(record: Record) -> dict[str, Any]:
    """Return what a span has beyond `common_attributes`; no prompts and no answers."""
    return {name: value for name, value in _of_span(record) if value is not None}


def _of_span(record: Record) -> Iterator[tuple[str, Any]]:
    request, reason = record.request, finish_reason(record)
    if streamed(record):
        yield "gen_ai.request.stream", True
        yield "gen_ai.response.time_to_first_chunk", record.first_event
    for name, (attribute, kind) in _SETTINGS.items():
        yield attribute, None if request.get(name) is None else kind(request[name])
    yield "gen_ai.output.type", _OUTPUT_TYPES.get(_at(request, ("text", "format", "type")))
    yield "gen_ai.conversation.id", record.conversation
    yield "gen_ai.conversation.compacted", _compacted(request) or None
    yield "gen_ai.request.previous_response.id", record.previous_response_id
    yield "gen_ai.request.reasoning.level", _at(request, ("reasoning", "effort"))
    yield "gen_ai.response.id", None if record.response is None else record.id
    yield "gen_ai.response.finish_reasons", None if reason is None else (reason,)
    for attribute, path in _USAGE.items():
        yield attribute, _at(record.usage, path)
    if record.provider == "openai":
        yield "openai.api.type", "responses"
        yield "openai.request.service_tier", request.get("service_tier")
        yield "openai.response.service_tier", record.service_tier
    yield "dragoman.model", record.asked
    yield "dragoman.deployment", record.deployment
    yield "dragoman.outcome", record.outcome
    yield "dragoman.mode", record.mode
    yield "dragoman.attempts", len(record.attempts)
    yield "dragoman.failures", [_failure(attempt) for attempt in record.attempts[:-1]] or None
    yield "user.id", record.user
    yield "dragoman.owner", record.owner or None
    yield "dragoman.tags", tuple(record.tags) or None
    if record.cost is not None:
        yield "dragoman.cost", float(record.cost.total)
        yield "dragoman.cost.currency", record.cost.currency


def _compacted(request: Mapping[str, Any]) -> bool:
    """Return whether the input begins with what stands for an earlier part of the conversation."""
    items = request.get("input")
    return isinstance(items, list) and any(item.get("type") == "compaction" for item in items)


def _failure(attempt: Mapping[str, Any]) -> str:
    why = attempt.get("code") or attempt.get("status") or attempt["outcome"]
    return f"{attempt['model']}: {why}"


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        value = value.get(name) if hasattr(value, "get") else None
    return value
