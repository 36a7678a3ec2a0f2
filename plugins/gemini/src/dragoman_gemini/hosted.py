"""Google's own tools as hosted items: what is readable of their calls and results."""

from __future__ import annotations

from typing import Any

__all__ = ["call_fields", "call_type", "open_page", "response_fields", "search", "stage_of"]

Fields = dict[str, Any]

_STAGES = {
    "code_interpreter_call": "interpreting",
    "file_search_call": "searching",
    "web_search_call": "searching",
}
_GOOD_OUTCOMES = frozenset({"OUTCOME_OK", "OUTCOME_UNSPECIFIED", None})


def call_type(kind: str, call: Fields, provider: str) -> str:
    """Return the type of the item for an ``executableCode`` or ``toolCall``."""
    if kind == "executableCode":
        return "code_interpreter_call"
    tool = str(call.get("toolType") or "tool")
    if tool.startswith("GOOGLE_SEARCH") or tool == "URL_CONTEXT":
        return "web_search_call"
    return "file_search_call" if tool == "FILE_SEARCH" else f"{provider}:{tool.lower()}"


def stage_of(type_: str) -> str | None:
    """Return the stage that an item announces between its beginning and its end."""
    return _STAGES.get(type_)


def call_fields(kind: str, call: Fields) -> Fields:
    """Return the fields of an item that has just begun."""
    if kind == "executableCode":
        return {"container_id": "", "code": str(call.get("code") or ""), "outputs": []}
    arguments = call.get("args")
    arguments = arguments if isinstance(arguments, dict) else {}
    tool = str(call.get("toolType") or "tool")
    if tool == "URL_CONTEXT":
        urls = _texts(arguments.get("urls") or arguments.get("url"))
        return open_page(urls[0] if urls else "")
    queries = _texts(arguments.get("queries") or arguments.get("query"))
    if tool.startswith("GOOGLE_SEARCH"):
        return search(queries, [])
    if tool == "FILE_SEARCH":
        return {"queries": queries, "results": None}
    return {"arguments": arguments}


def response_fields(kind: str, result: Fields) -> Fields:
    """Return the fields that a ``codeExecutionResult`` or ``toolResponse`` adds to its call's item."""
    if kind == "toolResponse":
        return {}
    printed = result.get("output")
    failed = result.get("outcome") not in _GOOD_OUTCOMES
    return {
        "outputs": [{"type": "logs", "logs": str(printed)}] if printed else [],
        "status": "failed" if failed else "completed",
    }


def search(queries: list[str], urls: list[str]) -> Fields:
    """Return the action of a web search."""
    sources = [{"type": "url", "url": url} for url in urls]
    query = queries[0] if queries else ""
    return {"action": {"type": "search", "query": query, "queries": queries, "sources": sources}}


def open_page(url: str) -> Fields:
    """Return the action of a page that was read."""
    return {"action": {"type": "open_page", "url": url}}


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str) and text]
