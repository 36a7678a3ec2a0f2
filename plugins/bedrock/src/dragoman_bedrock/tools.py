"""Tools and `tool_choice` of the Responses API as Converse's ``toolConfig``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dragoman.errors import BadRequestError
from dragoman_bedrock.content import cache_point

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dragoman_bedrock.models import Model
    from dragoman_bedrock.notes import Notes

__all__ = ["Toolbox"]

Tool = dict[str, Any]

# Tools that Anthropic defines and the caller carries out; their types end in the date of a version.
_CLAUDES_TOOL = re.compile(r".*_\d{8}")
_BETAS = {
    "computer_20241022": "computer-use-2024-10-22",
    "bash_20241022": "computer-use-2024-10-22",
    "text_editor_20241022": "computer-use-2024-10-22",
    "computer_20250124": "computer-use-2025-01-24",
    "computer_20251124": "computer-use-2025-11-24",
    "memory_20250818": "context-management-2025-06-27",
}
_FUNCTION_KNOWN = {
    "type", "name", "description", "parameters", "strict", "cache_control", "prompt_cache_breakpoint",
}  # fmt: skip
_SEARCH_NEUTRAL = {"external_web_access": True, "search_context_size": "medium"}
_NO_LONGER = "A tool of an earlier turn. It cannot be called any more."


class Toolbox:
    """The tools of one request, translated."""

    def __init__(self, tools: list[Tool], model: Model, notes: Notes) -> None:
        """Translate every tool.

        Raises:
            BadRequestError: a tool, or something a tool asks for, that this model does not have.
        """
        self.tools: list[Tool] = []
        self._claudes: list[Tool] = []
        self._model = model
        self._notes = notes
        for index, tool in enumerate(tools):
            self._add(tool, f"tools[{index}]")

    def config(self, request: dict[str, Any], called: Sequence[str]) -> dict[str, Any] | None:
        """Return ``toolConfig``; None where there is nothing to say.

        Args:
            request: for its `tool_choice` and `parallel_tool_calls`.
            called: tools that the conversation has called: Bedrock wants to know the tools of its history,
                also where none may be called now.
        """
        wanted = request.get("tool_choice") or "auto"
        if wanted == "none" and not called:
            return None  # there is no such choice: without tools nothing is called
        if not self.tools and not self._claudes and wanted not in ("auto", "none"):
            raise BadRequestError("tool_choice asks for a call, but there are no tools", param="tool_choice")
        self._send_claudes()
        choice = self._choice(wanted)
        tools = self.tools or [_reminder(name) for name in dict.fromkeys(called)]
        if not tools:
            if choice is not None:  # Claude's own tools alone, and its own way of demanding a call
                ((kind, details),) = choice.items()
                self._notes.add_fields({"tool_choice": {"type": kind, **details}})
            return None
        if choice is not None and "tool" in choice and "tool" not in self._model.demands:
            # This family can be made to call, but not to call this one: so it is offered no other.
            name = choice["tool"]["name"]
            tools = [tool for tool in tools if tool.get("toolSpec", {}).get("name") == name] or tools
            choice = {"any": {}}
        if request.get("parallel_tool_calls") is False and wanted != "none":
            self._one_at_a_time(forced=choice is not None)
        return {"tools": tools, **({"toolChoice": choice} if choice else {})}

    def _send_claudes(self) -> None:
        if not self._claudes:
            return
        self._notes.add_fields({"tools": self._claudes})
        betas = {_BETAS[tool["type"]]: None for tool in self._claudes if tool["type"] in _BETAS}
        if betas:
            self._notes.add_fields({"anthropic_beta": list(betas)})

    def _choice(self, wanted: Any) -> dict[str, Any] | None:
        if wanted in ("auto", "none"):
            return None
        if not self._model.demands:
            raise BadRequestError("this model cannot be made to call a tool", param="tool_choice")
        if wanted == "required":
            return {"any": {}}
        if wanted["type"] != "function":
            raise BadRequestError(f"Bedrock cannot demand {wanted['type']!r}", param="tool_choice.type")
        return {"tool": {"name": wanted["name"]}}

    def _one_at_a_time(self, *, forced: bool) -> None:
        if self._model.family != "claude":
            self._notes.warn("this model decides how many calls it makes at once", "parallel_tool_calls")
            return
        # Beside a toolChoice that demands a call, a type of its own would contradict it.
        kind = {} if forced else {"type": "auto"}
        self._notes.add_fields({"tool_choice": {**kind, "disable_parallel_tool_use": True}})

    def _add(self, tool: Tool, param: str) -> None:
        type_ = tool["type"]
        translate = _TOOLS.get(type_)
        if translate is not None:
            translate(self, tool, param)
        elif self._model.family == "claude" and _CLAUDES_TOOL.fullmatch(type_):
            self._claudes.append(dict(tool))
        else:
            raise BadRequestError(f"Bedrock has no tool of the type {type_!r} for this model", param=param)
        mark = cache_point(tool)
        if mark is not None:
            self.tools.append(mark)

    def _function(self, tool: Tool, param: str) -> None:
        spec: Tool = {"name": tool["name"]}
        if tool.get("description"):
            spec["description"] = tool["description"]
        spec["inputSchema"] = {"json": {"type": "object", "properties": {}, **(tool.get("parameters") or {})}}
        if tool.get("strict"):
            if self._model.structured:
                spec["strict"] = True
            else:
                self._notes.warn(
                    "this model has no strict tools; the arguments are not enforced", f"{param}.strict"
                )
        self._warn_of_the_rest(tool, param, _FUNCTION_KNOWN)
        self.tools.append({"toolSpec": spec})

    def _web_search(self, tool: Tool, param: str) -> None:
        if tool.get("external_web_access") is False:
            raise BadRequestError(
                "Nova's grounding always goes to the web", param=f"{param}.external_web_access"
            )
        self._system_tool("nova_grounding", param)
        given = {name: value for name, value in tool.items() if _SEARCH_NEUTRAL.get(name, ...) != value}
        self._warn_of_the_rest(given, param, {"type"})

    def _code_interpreter(self, tool: Tool, param: str) -> None:
        container = tool.get("container")
        if isinstance(container, str) or (isinstance(container, dict) and container.get("file_ids")):
            raise BadRequestError(
                "Nova's code interpreter has no containers or files", param=f"{param}.container"
            )
        self._system_tool("nova_code_interpreter", param)

    def _named_system_tool(self, tool: Tool, param: str) -> None:
        if not tool.get("name"):
            raise BadRequestError("a system_tool needs a name", param=f"{param}.name")
        self.tools.append({"systemTool": {"name": tool["name"]}})

    def _system_tool(self, name: str, param: str) -> None:
        if not self._model.system_tools:
            raise BadRequestError(
                f"only Amazon's Nova 2 and Nova Premier have {name}; this model does not", param=param
            )
        self.tools.append({"systemTool": {"name": name}})

    def _warn_of_the_rest(self, given: Tool, param: str, known: set[str]) -> None:
        for name, value in given.items():
            if name not in known and value not in (None, {}, []):
                self._notes.warn(f"Bedrock has nothing like {name!r}; it was left out", f"{param}.{name}")


def _reminder(name: str) -> Tool:
    spec = {"name": name, "description": _NO_LONGER, "inputSchema": {"json": {"type": "object"}}}
    return {"toolSpec": spec}


_TOOLS: dict[str, Callable[[Toolbox, Tool, str], None]] = {
    "function": Toolbox._function,
    "web_search": Toolbox._web_search,
    "web_search_2025_08_26": Toolbox._web_search,
    "web_search_preview": Toolbox._web_search,
    "web_search_preview_2025_03_11": Toolbox._web_search,
    "code_interpreter": Toolbox._code_interpreter,
    "system_tool": Toolbox._named_system_tool,
}
