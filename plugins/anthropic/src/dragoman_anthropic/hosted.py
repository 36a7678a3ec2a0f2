"""Anthropic's server tools as hosted items: what is readable of them, one row for each kind of item.

A ``server_tool_use`` block (or ``mcp_tool_use``) and the ``*_tool_result`` block that answers it are one
item. A row says what the item is called, what is known of it when the call begins, what the call's input
adds, and what the result adds. The blocks themselves are sealed into the item, so nothing is lost.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["HostedTool", "hosted_tool_for", "is_failure", "json_text", "objects"]

Block = dict[str, Any]
Fields = dict[str, Any]


class HostedTool(NamedTuple):
    """How one server tool appears in the output."""

    item_type: str
    stage: str = ""
    """The stage it announces between `in_progress` and `completed`."""
    streamed: Callable[[Block], str] | None = None
    """Returns the text of the item's field that streams (`code`), from the finished call."""
    relays_input: bool = False
    """Whether the call's JSON input is that field itself (`arguments`), as it arrives."""
    opening: Callable[[Block], Fields] = lambda _: {}
    """Returns the fields of an item that has just begun."""
    called: Callable[[Block], Fields] = lambda _: {}
    """Returns the fields that the finished call fills."""
    answered: Callable[[Block, Block], Fields] = lambda _use, _result: {}
    """Returns the fields that the result (second) of the call (first) fills."""


def json_text(value: Any) -> str:
    """Return JSON as the API itself writes it in streams."""
    return json.dumps(value, ensure_ascii=False)


def is_failure(result: Mapping[str, Any]) -> bool:
    """Tell whether a result block reports an error: ``is_error``, or content of a type ``*_error``."""
    content = result.get("content")
    type_ = content.get("type") if isinstance(content, dict) else None
    return bool(result.get("is_error")) or str(type_).endswith("_error")


def hosted_tool_for(use: Block) -> HostedTool:
    """Return the row for a call; tools that are not known here keep their own name behind ``anthropic:``."""
    if use.get("type") == "mcp_tool_use":
        return _MCP
    name = str(use.get("name") or "tool")
    known = _TOOLS.get(name)
    if known is not None:
        return known
    if name.startswith("tool_search_tool"):
        return _TOOL_SEARCH
    return _OTHER._replace(item_type=f"anthropic:{name}")


def _input(use: Block) -> Mapping[str, Any]:
    value = use.get("input")
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list; nothing where the API sent something else."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _texts(value: Any) -> str:
    """Return the text of content that is a string or a list of text blocks."""
    if isinstance(value, str):
        return value
    return "\n".join(str(entry["text"]) for entry in objects(value) if entry.get("text"))


# ---- web search and fetch ------------------------------------------------------------------------------


def _search(use: Block, sources: list[dict[str, Any]] | None = None) -> Fields:
    query = str(_input(use).get("query") or "")
    queries = [query] if query else []
    return {"action": {"type": "search", "query": query, "queries": queries, "sources": sources or []}}


def _search_answered(use: Block, result: Block) -> Fields:
    found = objects(result.get("content"))
    return _search(use, [{"type": "url", "url": str(entry["url"])} for entry in found if entry.get("url")])


def _fetch(use: Block) -> Fields:
    return {"action": {"type": "open_page", "url": str(_input(use).get("url") or "")}}


# ---- code execution ------------------------------------------------------------------------------------


def _code(use: Block) -> str:
    """Return what was run: Python, a shell command, or the editor's command as JSON."""
    given = _input(use)
    if use.get("name") == "text_editor_code_execution":
        return json_text(given) if given else ""
    return str(given.get("code") or given.get("command") or "")


def _logs(_use: Block, result: Block) -> Fields:
    content = result.get("content")
    if not isinstance(content, dict):
        return {"outputs": []}
    printed = [
        str(content[name]) for name in ("stdout", "stderr", "content") if isinstance(content.get(name), str)
    ]
    printed += [str(content[name]) for name in ("error_message", "error_code") if content.get(name)][:1]
    if isinstance(content.get("lines"), list):
        printed.append("\n".join(str(line) for line in content["lines"]))
    logs = "\n".join(text for text in printed if text)
    fields: Fields = {"outputs": [{"type": "logs", "logs": logs}] if logs else []}
    files = [entry["file_id"] for entry in objects(content.get("content")) if entry.get("file_id")]
    if files:  # have no place in this item at OpenAI; without their ids nobody could download them
        fields["file_ids"] = files
    return fields


_CODE = HostedTool(
    "code_interpreter_call",
    "interpreting",
    streamed=_code,
    opening=lambda _: {"container_id": "", "outputs": []},
    answered=_logs,
)

# ---- the others ----------------------------------------------------------------------------------------


def _mcp_answered(_use: Block, result: Block) -> Fields:
    if is_failure(result):
        return {"error": {"type": "mcp_tool_execution_error", "content": result.get("content")}}
    return {"output": _texts(result.get("content"))}


_MCP = HostedTool(
    "mcp_call",
    relays_input=True,
    opening=lambda use: {
        "server_label": str(use.get("server_name") or ""),
        "name": str(use.get("name") or ""),
        "output": None,
        "error": None,
    },
    answered=_mcp_answered,
)
_TOOL_SEARCH = HostedTool(
    "tool_search_call",
    opening=lambda _: {"call_id": None, "execution": "server", "arguments": {}},
    called=lambda use: {"arguments": _input(use)},
)


def _other_answered(_use: Block, result: Block) -> Fields:
    content = result.get("content")
    text = content.get("text") if isinstance(content, dict) else _texts(content)
    return {"output": text if isinstance(text, str) else None}


_OTHER = HostedTool(
    "anthropic:tool",
    opening=lambda _: {"arguments": {}, "output": None},
    called=lambda use: {"arguments": _input(use)},
    answered=_other_answered,
)
_TOOLS = {
    "web_search": HostedTool(
        "web_search_call", "searching", opening=_search, called=_search, answered=_search_answered
    ),
    "web_fetch": HostedTool("web_search_call", "searching", opening=_fetch, called=_fetch),
    "code_execution": _CODE,
    "bash_code_execution": _CODE,
    "text_editor_code_execution": _CODE,
}
