"""Canonical input: the many ways of writing a request's input, made one before a translator sees it.

Callers may write a bare string, messages without `type`, content as a string, tool outputs as a string;
a translator meets a list of items, each with its `type`, and content that is always a list of parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dragoman.types import Item

__all__ = ["canonical_input"]

_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})


def canonical_input(value: str | list[Item]) -> list[Item]:
    """Return a request's `input` as a list of items in full form; the caller's objects are not changed."""
    if isinstance(value, str):
        return [_message("user", value)]
    return [_canonical_item(item) for item in value]


def _canonical_item(item: Item) -> Item:
    type_ = item.get("type")
    if type_ is None:
        type_ = "message" if "role" in item else "item_reference"
        item = {"type": type_, **item}
    if type_ == "message" and isinstance(item.get("content"), str):
        return {**item, "content": _parts(item["role"], item["content"])}
    if type_ in _OUTPUTS and isinstance(item.get("output"), str):
        return {**item, "output": [{"type": "input_text", "text": item["output"]}]}
    return item


def _message(role: str, text: str) -> Item:
    return {"type": "message", "role": role, "content": _parts(role, text)}


def _parts(role: str, text: str) -> list[dict[str, Any]]:
    if role == "assistant":
        return [{"type": "output_text", "text": text, "annotations": []}]
    return [{"type": "input_text", "text": text}]
