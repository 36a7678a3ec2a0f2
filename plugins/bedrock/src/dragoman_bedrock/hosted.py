"""Tools that run at Amazon's side, as hosted items: what is readable of them, one row for each.

A ``toolUse`` of the type ``server_tool_use`` and the ``toolResult`` that follows it are one item. The blocks
themselves are sealed into it, so nothing is lost.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HostedTool", "hosted_tool_for", "json_text", "objects"]

Block = dict[str, Any]
Fields = dict[str, Any]


class HostedTool(NamedTuple):
    """How one server tool appears in the output."""

    item_type: str
    stage: str = ""
    """The stage it announces between `in_progress` and `completed`."""
    code: Callable[[Any], str] | None = None
    """Returns what streams as the item's `code`, from the call's input."""
    fields: Callable[[Any, list[Block]], Fields] = lambda _input, _content: {}
    """Returns the item's fields for the call's input and the result's content ([] while there is none)."""


def json_text(value: Any) -> str:
    """Return JSON as Bedrock itself writes it in streams."""
    return json.dumps(value, ensure_ascii=False)


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list; nothing where the API sent something else."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def hosted_tool_for(name: str) -> HostedTool:
    """Return the row for a tool; what is not known here keeps its name behind ``bedrock:``."""
    return _TOOLS.get(name) or _OTHER._replace(item_type=f"bedrock:{name or 'tool'}")


def _search(given: Any, _content: list[Block]) -> Fields:
    query = str(given.get("query") or "") if isinstance(given, dict) else ""
    action = {"type": "search", "query": query, "queries": [query] if query else [], "sources": []}
    return {"action": action}


def _snippet(given: Any) -> str:
    return str(given.get("snippet") or given.get("code") or "") if isinstance(given, dict) else ""


def _run(_given: Any, content: list[Block]) -> Fields:
    printed: list[str] = []
    for entry in content:
        said = entry.get("json")
        if isinstance(said, dict):
            printed += [str(said[name]) for name in ("stdOut", "stdErr") if said.get(name)]
        elif entry.get("text"):
            printed.append(str(entry["text"]))
    logs = "\n".join(printed)
    return {"container_id": "", "outputs": [{"type": "logs", "logs": logs}] if logs else []}


def _other(given: Any, content: list[Block]) -> Fields:
    texts = [entry["text"] for entry in content if isinstance(entry.get("text"), str)]
    return {"arguments": given if isinstance(given, dict) else {}, "output": "\n".join(texts) or None}


_OTHER = HostedTool("bedrock:tool", fields=_other)
_TOOLS = {
    "nova_grounding": HostedTool("web_search_call", "searching", fields=_search),
    "nova_code_interpreter": HostedTool("code_interpreter_call", "interpreting", code=_snippet, fields=_run),
}
