"""Tools and `tool_choice` of the Responses API as Gemini's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman_gemini.models import Model
    from dragoman_gemini.notes import Notes

__all__ = ["Toolbox"]

Tool = dict[str, Any]

_MODES = {"none": "NONE", "required": "ANY"}
# Gemini's own tools, which callers may write as they are, and the member of a tool that switches them on.
_OWN = {
    "code_execution": "codeExecution",
    "computer_use": "computerUse",
    "enterprise_web_search": "enterpriseWebSearch",
    "google_maps": "googleMaps",
    "google_search": "googleSearch",
    "google_search_retrieval": "googleSearchRetrieval",
    "retrieval": "retrieval",
    "url_context": "urlContext",
}
_FUNCTION_KNOWN = {"type", "name", "description", "parameters", "strict", "output_schema", "behavior"}
_SEARCH_KNOWN = {"type", "filters", "external_web_access"}


class Toolbox:
    """The tools of one request, translated."""

    def __init__(self, tools: list[Tool], choice: Any, model: Model, notes: Notes) -> None:
        """Translate every tool, and `choice`, the request's `tool_choice`.

        Raises:
            BadRequestError: a tool, or something a tool or the choice asks for, that Gemini does not have.
        """
        self.tools: list[Tool] = []
        self.config: dict[str, Any] = {}
        """Gemini's ``toolConfig``; empty where the defaults mean the same."""
        self.makes_images = False
        """Whether an image may be part of the answer."""
        self.image_config: dict[str, Any] = {}
        self._functions: list[Tool] = []
        self._strict = False
        self._notes = notes
        for index, tool in enumerate(tools):
            self._add(tool, f"tools[{index}]")
        if choice == "none":  # the mode NONE holds for functions alone
            self.tools, self.makes_images = [], False
        if calling := self._calling(choice):
            self.config["functionCallingConfig"] = calling
        if self._functions and self.tools and model.new:
            self.config["includeServerSideToolInvocations"] = True  # without it Gemini refuses the mixture
        if self._functions:
            self.tools.append({"functionDeclarations": self._functions})

    def _calling(self, wanted: Any) -> dict[str, Any]:
        if isinstance(wanted, dict):
            if wanted["type"] != "function":
                raise BadRequestError(
                    f"Gemini cannot demand {wanted['type']!r}: it can demand functions alone",
                    param="tool_choice.type",
                )
            return {"mode": "ANY", "allowedFunctionNames": [wanted["name"]]}
        if wanted == "required" and not self._functions:
            raise BadRequestError(
                "tool_choice asks for a call, but there are no functions", param="tool_choice"
            )
        if wanted in _MODES:
            return {"mode": _MODES[wanted]} if self._functions else {}
        return {"mode": "VALIDATED"} if self._strict else {}

    def _add(self, tool: Tool, param: str) -> None:
        type_ = tool["type"]
        if type_ in _OWN:
            self.tools.append({_OWN[type_]: {name: value for name, value in tool.items() if name != "type"}})
            return
        translate = _TOOLS.get(type_)
        if translate is None:
            raise BadRequestError(f"Gemini has no tool of the type {type_!r}", param=param)
        translate(self, tool, param)

    def _function(self, tool: Tool, param: str) -> None:
        sent: Tool = {"name": tool["name"]}
        if tool.get("description"):
            sent["description"] = tool["description"]
        sent["parametersJsonSchema"] = {"type": "object", "properties": {}, **(tool.get("parameters") or {})}
        if tool.get("output_schema"):
            sent["responseJsonSchema"] = tool["output_schema"]
        if tool.get("behavior"):
            sent["behavior"] = tool["behavior"]
        self._strict = self._strict or bool(tool.get("strict"))
        self._warn_of_the_rest(tool, _FUNCTION_KNOWN, param)
        self._functions.append(sent)

    def _web_search(self, tool: Tool, param: str) -> None:
        if tool.get("external_web_access") is False:
            raise BadRequestError(
                "Google Search always goes to the web", param=f"{param}.external_web_access"
            )
        filters = tool.get("filters") or {}
        if filters.get("allowed_domains"):
            raise BadRequestError(
                "Google Search cannot be limited to some domains", param=f"{param}.filters.allowed_domains"
            )
        search: Tool = {}
        if filters.get("blocked_domains"):
            search["excludeDomains"] = filters["blocked_domains"]
        self._warn_of_the_rest(tool, _SEARCH_KNOWN, param)
        self.tools.append({"googleSearch": search})

    def _code_interpreter(self, tool: Tool, param: str) -> None:
        container = tool.get("container")
        if isinstance(container, str):
            self._notes.warn("Gemini's code runs without a container of its own", f"{param}.container")
        elif isinstance(container, dict):
            if container.get("file_ids"):
                raise BadRequestError(
                    "Gemini's code sees no uploaded files: send them as input_file",
                    param=f"{param}.container.file_ids",
                )
            self._warn_of_the_rest(container, {"type", "file_ids"}, f"{param}.container")
        self.tools.append({"codeExecution": {}})

    def _file_search(self, tool: Tool, param: str) -> None:
        search: Tool = {"fileSearchStoreNames": tool.get("vector_store_ids") or []}
        if tool.get("max_num_results"):
            search["topK"] = tool["max_num_results"]
        filters = tool.get("filters")
        if isinstance(filters, str):
            search["metadataFilter"] = filters
        elif filters:
            raise BadRequestError(
                "Gemini takes a filter as a string in its own language", param=f"{param}.filters"
            )
        self._warn_of_the_rest(tool, {"type", "vector_store_ids", "max_num_results", "filters"}, param)
        self.tools.append({"fileSearch": search})

    def _image_generation(self, tool: Tool, param: str) -> None:
        self.makes_images = True
        size = tool.get("aspect_ratio")
        if size:
            self.image_config["aspectRatio"] = size
        self._warn_of_the_rest(tool, {"type", "aspect_ratio"}, param)

    def _warn_of_the_rest(self, given: Tool, known: set[str], param: str) -> None:
        for name, value in given.items():
            if name not in known and value not in (None, "auto"):
                self._notes.warn(f"Gemini has nothing like {name!r}; it was left out", f"{param}.{name}")


_TOOLS: dict[str, Callable[[Toolbox, Tool, str], None]] = {
    "function": Toolbox._function,
    "web_search": Toolbox._web_search,
    "web_search_2025_08_26": Toolbox._web_search,
    "web_search_preview": Toolbox._web_search,
    "web_search_preview_2025_03_11": Toolbox._web_search,
    "code_interpreter": Toolbox._code_interpreter,
    "file_search": Toolbox._file_search,
    "image_generation": Toolbox._image_generation,
}
