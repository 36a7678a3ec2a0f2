"""Tools and `tool_choice` of the Responses API as those of Chat Completions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman_openai_compatible.notes import Notes

__all__ = ["tool_options"]

Tool = dict[str, Any]

_FUNCTION_FIELDS = ("name", "description", "parameters", "strict")
_FUNCTION_KNOWN = frozenset({*_FUNCTION_FIELDS, "type", "cache_control"})
_SEARCH_KNOWN = frozenset(
    {"type", "filters", "search_context_size", "user_location", "external_web_access", "max_uses"}
)


def tool_options(request: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    """Return `tools`, `tool_choice` and what else tools ask for.

    Raises:
        BadRequestError: a tool or a choice that Chat Completions does not have; `param` names it.
    """
    body: dict[str, Any] = {}
    tools: list[Tool] = []
    for index, tool in enumerate(request.get("tools") or ()):
        param = f"tools[{index}]"
        if tool["type"] == "function":
            tools.append(_function(tool, param, notes))
        elif str(tool["type"]).startswith("web_search"):
            _search(tool, param, notes, tools, body)
        elif notes.host.tool_prefix and str(tool["type"]).startswith(notes.host.tool_prefix):
            tools.append(dict(tool))
        else:
            raise BadRequestError(f"{notes.provider} has no tool of the type {tool['type']!r}", param=param)
    if request.get("tool_choice") == "none" and not notes.host.forced_choice:
        return body  # where nothing can be chosen, what is not sent cannot be called
    if tools:
        body["tools"] = tools
    choice = _choice(request, tools, notes)
    if choice is not None:
        body["tool_choice"] = choice
    return body


def _function(tool: Tool, param: str, notes: Notes) -> Tool:
    function = {name: tool[name] for name in _FUNCTION_FIELDS if tool.get(name) is not None}
    function.setdefault("parameters", {"type": "object", "properties": {}})  # which some hosts insist on
    _warn_of_the_rest(tool, _FUNCTION_KNOWN, param, notes)
    sent: Tool = {"type": "function", "function": function}
    if tool.get("cache_control"):
        sent["cache_control"] = tool["cache_control"]
    return sent


def _search(tool: Tool, param: str, notes: Notes, tools: list[Tool], body: dict[str, Any]) -> None:
    if tool.get("external_web_access") is False:
        raise BadRequestError("this search always goes to the web", param=f"{param}.external_web_access")
    _warn_of_the_rest(tool, _SEARCH_KNOWN, param, notes)
    filters = tool.get("filters") or {}
    options = {
        name: tool[name]
        for name in ("search_context_size", "user_location", "max_uses")
        if tool.get(name) is not None
    }
    domains = filters.get("allowed_domains")
    if notes.host.web_search == "tool":
        parameters = {**options, **({"allowed_domains": domains} if domains else {})}
        if filters.get("blocked_domains"):
            parameters["excluded_domains"] = filters["blocked_domains"]
        sent: Tool = {"type": f"{notes.host.tool_prefix}web_search"}
        tools.append({**sent, "parameters": parameters} if parameters else sent)
        return
    if "max_uses" in options:
        notes.warn("searches cannot be counted here; the limit was left out", f"{param}.max_uses")
        del options["max_uses"]
    if domains:
        body["search_domain_filter"] = domains
    if options:
        body["web_search_options"] = options


def _choice(request: Mapping[str, Any], tools: list[Tool], notes: Notes) -> Any:
    wanted = request.get("tool_choice") or "auto"
    if not tools:
        if wanted in ("auto", "none") or notes.host.web_search == "always":
            return None
        raise BadRequestError("tool_choice asks for a call, but there are no tools", param="tool_choice")
    if wanted == "auto":
        return None
    if wanted == "required":
        return notes.host.forced_choice
    if isinstance(wanted, str):
        return wanted
    if wanted["type"] == "function":
        return {"type": "function", "function": {"name": wanted["name"]}}
    raise BadRequestError(f"{notes.provider} cannot demand {wanted['type']!r}", param="tool_choice.type")


def _warn_of_the_rest(given: Tool, known: frozenset[str], param: str, notes: Notes) -> None:
    for name, value in given.items():
        if name not in known and value is not None:
            notes.warn(f"{notes.provider} has nothing like {name!r}; it was left out", f"{param}.{name}")
