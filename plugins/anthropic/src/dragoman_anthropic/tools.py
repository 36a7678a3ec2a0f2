"""Tools and `tool_choice` of the Responses API as Anthropic's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dragoman.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman_anthropic.models import Model
    from dragoman_anthropic.notes import Notes

__all__ = ["Toolbox"]

Tool = dict[str, Any]

# Anthropic's own tools end in the date of their version; they are sent as they are.
_OWN_TOOL = re.compile(r".*_\d{8}|mcp_toolset")
_BETAS = {
    "code_execution_20250522": "code-execution-2025-05-22",
    "code_execution_20250825": "code-execution-2025-08-25",
    "computer_20241022": "computer-use-2024-10-22",
    "computer_20250124": "computer-use-2025-01-24",
    "computer_20251124": "computer-use-2025-11-24",
    "mcp_toolset": "mcp-client-2025-11-20",
    "memory_20250818": "context-management-2025-06-27",
    "web_fetch_20250910": "web-fetch-2025-09-10",
}
_ADVANCED = "advanced-tool-use-2025-11-20"
# Fields of a function tool: those that Anthropic knows by the same name, and those that are translated.
_FUNCTION_FIELDS = (
    "cache_control",
    "defer_loading",
    "allowed_callers",
    "input_examples",
    "eager_input_streaming",
)
_FUNCTION_KNOWN = {*_FUNCTION_FIELDS, "type", "name", "description", "parameters", "strict"}
_SEARCH_FIELDS = ("max_uses", "allowed_domains", "blocked_domains", "cache_control")
_SEARCH_KNOWN = {*_SEARCH_FIELDS, "type", "filters", "user_location", "external_web_access"}
_CHOICES = {"auto": "auto", "required": "any", "none": "none"}
# The names under which Anthropic's hosted tools are called, for a `tool_choice` that names OpenAI's.
_HOSTED_NAMES = {
    "web_search": "web_search",
    "web_search_2025_08_26": "web_search",
    "web_search_preview": "web_search",
    "web_search_preview_2025_03_11": "web_search",
    "code_interpreter": "code_execution",
    "tool_search": "tool_search_tool_bm25",
}


class Toolbox:
    """The tools of one request, translated."""

    def __init__(self, tools: list[Tool], model: Model, notes: Notes) -> None:
        """Translate every tool.

        Raises:
            BadRequestError: a tool, or something a tool asks for, that Anthropic does not have.
        """
        self.tools: list[Tool] = []
        self.mcp_servers: list[dict[str, Any]] = []
        self.container: str | None = None
        self.files: list[str] = []
        """Files of Anthropic's Files API that go into the container."""
        self._model = model
        self._notes = notes
        for index, tool in enumerate(tools):
            self._add(tool, f"tools[{index}]")

    def choice(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """Return Anthropic's ``tool_choice``; None where its default means the same."""
        wanted = request.get("tool_choice") or "auto"
        if not self.tools:
            if wanted in {"auto", "none"}:
                return None
            raise BadRequestError("tool_choice asks for a call, but there are no tools", param="tool_choice")
        if isinstance(wanted, str):
            choice: dict[str, Any] = {"type": _CHOICES[wanted]}
        else:
            name = _HOSTED_NAMES.get(wanted["type"]) or wanted.get("name")
            if name is None:
                raise BadRequestError(f"Anthropic cannot demand {wanted['type']!r}", param="tool_choice.type")
            choice = {"type": "tool", "name": name}
        if request.get("parallel_tool_calls") is False and choice["type"] != "none":
            choice["disable_parallel_tool_use"] = True
        return None if choice == {"type": "auto"} else choice

    def limit_hosted_calls(self, limit: int) -> None:
        """Carry `max_tool_calls`: Anthropic limits each tool on its own, and only some."""
        limited = [
            tool for tool in self.tools if str(tool.get("type")).startswith(("web_search", "web_fetch"))
        ]
        for tool in limited:
            tool["max_uses"] = min(limit, tool.get("max_uses") or limit)
        if not limited:
            self._notes.warn("Claude limits web searches only; the limit was left out", "max_tool_calls")

    def _add(self, tool: Tool, param: str) -> None:
        type_ = tool["type"]
        translate = _TOOLS.get(type_)
        if translate is not None:
            translate(self, tool, param)
        elif _OWN_TOOL.fullmatch(type_):
            self.tools.append(dict(tool))
        else:
            raise BadRequestError(f"Anthropic has no tool of the type {type_!r}", param=param)
        sent = self.tools[-1]
        if beta := _BETAS.get(str(sent.get("type"))):
            self._notes.beta(beta)
        if sent.get("defer_loading") or sent.get("allowed_callers"):
            self._notes.beta(_ADVANCED)

    def _function(self, tool: Tool, param: str) -> None:
        sent: Tool = {"name": tool["name"]}
        if tool.get("description"):
            sent["description"] = tool["description"]
        sent["input_schema"] = {"type": "object", "properties": {}, **(tool.get("parameters") or {})}
        if tool.get("strict"):
            if self._model.structured:
                sent["strict"] = True
            else:
                self._notes.warn(
                    "this model has no strict tools; the arguments are not enforced", f"{param}.strict"
                )
        sent.update({name: tool[name] for name in _FUNCTION_FIELDS if tool.get(name) is not None})
        self._warn_of_the_rest(tool, _FUNCTION_KNOWN, param)
        self.tools.append(sent)

    def _web_search(self, tool: Tool, param: str) -> None:
        if tool.get("external_web_access") is False:
            raise BadRequestError(
                "Claude's web search always goes to the web", param=f"{param}.external_web_access"
            )
        given = {**tool, **(tool.get("filters") or {})}
        sent: Tool = {"type": "web_search_20250305", "name": "web_search"}
        sent.update({name: given[name] for name in _SEARCH_FIELDS if given.get(name) is not None})
        location = {
            name: value for name, value in (tool.get("user_location") or {}).items() if value is not None
        }
        if len(location) > ("type" in location):
            sent["user_location"] = {"type": "approximate", **location}
        self._warn_of_the_rest(tool, _SEARCH_KNOWN, param)
        self.tools.append(sent)

    def _code_interpreter(self, tool: Tool, param: str) -> None:
        container = tool.get("container")
        if isinstance(container, str):
            self.container = container
        elif isinstance(container, dict):
            self.files += container.get("file_ids") or []
            self._warn_of_the_rest(container, {"type", "file_ids"}, f"{param}.container")
        self.tools.append({"type": "code_execution_20250825", "name": "code_execution"})

    def _mcp(self, tool: Tool, param: str) -> None:
        label, url = tool["server_label"], tool.get("server_url")
        if not url:
            raise BadRequestError("Anthropic reaches MCP servers by their server_url alone", param=param)
        if tool.get("require_approval") != "never":
            raise BadRequestError(
                'Claude calls MCP tools without asking: pass require_approval="never" to allow it',
                param=f"{param}.require_approval",
            )
        if tool.get("headers"):
            raise BadRequestError(
                "Anthropic sends no headers of yours to MCP servers: pass the token as authorization",
                param=f"{param}.headers",
            )
        server = {"type": "url", "name": label, "url": url}
        if tool.get("authorization"):
            server["authorization_token"] = tool["authorization"]
        self.mcp_servers.append(server)
        toolset: Tool = {"type": "mcp_toolset", "mcp_server_name": label}
        allowed = tool.get("allowed_tools")
        if isinstance(allowed, dict):
            if allowed.get("read_only") is not None:
                raise BadRequestError(
                    "Anthropic chooses MCP tools by name alone", param=f"{param}.allowed_tools.read_only"
                )
            allowed = allowed.get("tool_names")
        if allowed is not None:
            toolset["default_config"] = {"enabled": False}
            toolset["configs"] = {name: {"enabled": True} for name in allowed}
        if tool.get("defer_loading"):
            toolset["default_config"] = {**toolset.get("default_config", {}), "defer_loading": True}
        if tool.get("cache_control"):
            toolset["cache_control"] = tool["cache_control"]
        self.tools.append(toolset)

    def _tool_search(self, tool: Tool, param: str) -> None:
        if tool.get("execution") == "client":
            raise BadRequestError("Claude's tool search runs at Anthropic's side", param=f"{param}.execution")
        self._notes.beta(_ADVANCED)
        self.tools.append({"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"})

    def _warn_of_the_rest(self, given: Tool, known: set[str], param: str) -> None:
        for name, value in given.items():
            if name not in known and value is not None:
                self._notes.warn(f"Anthropic has nothing like {name!r}; it was left out", f"{param}.{name}")


_TOOLS: dict[str, Callable[[Toolbox, Tool, str], None]] = {
    "function": Toolbox._function,
    "web_search": Toolbox._web_search,
    "web_search_2025_08_26": Toolbox._web_search,
    "web_search_preview": Toolbox._web_search,
    "web_search_preview_2025_03_11": Toolbox._web_search,
    "code_interpreter": Toolbox._code_interpreter,
    "mcp": Toolbox._mcp,
    "tool_search": Toolbox._tool_search,
}
