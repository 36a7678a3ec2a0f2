"""The content parts of an input, with their places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["parts_of"]

_HOLDERS = {"message": "content", "function_call_output": "output"}


def parts_of(items: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each part of messages and tool outputs with its place: ``input[0].content[1]``."""
    for index, item in enumerate(items):
        holder = _HOLDERS.get(item["type"], "")
        parts = item.get(holder)
        for position, part in enumerate(parts if isinstance(parts, list) else ()):
            if isinstance(part, dict):
                yield f"input[{index}].{holder}[{position}]", part
