"""Prompts and answers in the form of the conventions: messages with parts, as JSON text. Only on request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from dragoman_otel.attributes import finish_reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dragoman.records.record import Record

__all__ = ["content_attributes"]

_TEXTS = frozenset({"input_text", "output_text", "text", "refusal", "summary_text", "reasoning_text"})


def content_attributes(record: Record) -> dict[str, str]:
    """Return a span's attributes with what was asked and answered, tools left out."""
    request, response = record.request, record.response
    told: dict[str, Any] = {}
    if request.get("instructions"):
        told["gen_ai.system_instructions"] = [{"type": "text", "content": request["instructions"]}]
    asked = request.get("input") or []
    items = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    if items:
        told["gen_ai.input.messages"] = [_message(item) for item in items]
    if response is not None and response["output"]:
        parts = [part for item in response["output"] for part in _message(item)["parts"]]
        told["gen_ai.output.messages"] = [
            {"role": "assistant", "parts": parts, "finish_reason": finish_reason(record)}
        ]
    return {name: to_json(value, fallback=repr).decode() for name, value in told.items()}


def _message(item: Mapping[str, Any]) -> dict[str, Any]:
    kind = item.get("type", "message")
    if kind == "message":
        return {"role": item.get("role", "assistant"), "parts": _parts(item.get("content") or ())}
    if kind == "reasoning":
        texts = (item.get("summary") or []) + (item.get("content") or [])
        said = "".join(part.get("text", "") for part in texts)
        return {"role": "assistant", "parts": [{"type": "reasoning", "content": said}] if said else []}
    if kind.endswith("_call_output"):
        part = {"type": "tool_call_response", "id": item.get("call_id"), "response": item.get("output")}
        return {"role": "tool", "parts": [part]}
    if "call_id" in item:
        given = item.get("arguments", item.get("input", item.get("action")))
        part = {
            "type": "tool_call",
            "id": item["call_id"],
            "name": item.get("name", kind),
            "arguments": given,
        }
        return {"role": "assistant", "parts": [part]}
    return {"role": "assistant", "parts": [{"type": kind}]}  # a hosted tool's: that it was is enough


def _parts(content: str | Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "content": content}]
    return [
        {"type": "text", "content": part.get("text", part.get("refusal", ""))}
        if part.get("type") in _TEXTS
        else {"type": part.get("type", "unknown")}  # images and files are too large for a span
        for part in content
    ]
