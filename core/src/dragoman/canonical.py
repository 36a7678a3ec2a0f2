"""Canonical input: the many ways of writing a request's input, made one before a translator sees it.

Callers may write a bare string, messages without `type`, content as a string, tool outputs as a string;
a translator meets a list of items, each with its `type`, and content that is always a list of parts.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dragoman.errors import BadRequestError

if TYPE_CHECKING:
    from dragoman.types import Item

__all__ = ["call_arguments", "canonical_input"]

_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})


def canonical_input(value: str | list[Item]) -> list[Item]:
    """Return a request's `input` as a list of items in full form; the caller's objects are not changed."""
    if isinstance(value, str):
        return [_message("user", value)]
    return [_canonical_item(item) for item in value]


def call_arguments(item: Item, param: str) -> dict[str, Any]:
    """Return a function call's arguments as an object, for wires that want one.

    Those of a call that was cut off are no JSON: they become an empty object, as the upstreams have it.

    Raises:
        BadRequestError: no JSON, or no object; `param` is the item's place.
    """
    try:
        arguments = json.loads(item["arguments"].strip() or "{}")
        json.dumps(arguments, allow_nan=False)  # Python reads numbers that are no JSON: NaN, 1e999
    except (ValueError, RecursionError) as problem:
        if item.get("status") == "incomplete":
            return {}
        raise BadRequestError(
            f"the arguments of {item['name']!r} are not JSON: {problem}", param=f"{param}.arguments"
        ) from None
    if not isinstance(arguments, dict):
        raise BadRequestError(
            f"the arguments of {item['name']!r} must be a JSON object", param=f"{param}.arguments"
        )
    return arguments


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
