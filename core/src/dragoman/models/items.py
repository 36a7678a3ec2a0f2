"""Output items as typed objects: what stands in ``response.output`` and in the events about items."""

from typing import Annotated, Any, Literal

from pydantic import Field

from dragoman.models.parts import (
    ApplyPatchOperation,
    Caller,
    CodeInterpreterOutput,
    ContentPart,
    FileSearchResult,
    LocalShellCallAction,
    McpListToolsTool,
    OpenObject,
    SafetyCheck,
    ShellCallAction,
    ShellCallOutputContent,
    Tool,
    UnknownType,
    WebSearchAction,
    WireModel,
)

__all__ = [
    "AdditionalTools",
    "ImageGenerationCall",
    "LocalShellCall",
    "LocalShellCallOutput",
    "McpApprovalRequest",
    "McpApprovalResponse",
    "McpCall",
    "McpListTools",
    "Program",
    "ProgramOutput",
    "ResponseApplyPatchToolCall",
    "ResponseApplyPatchToolCallOutput",
    "ResponseCodeInterpreterToolCall",
    "ResponseCompactionItem",
    "ResponseComputerToolCall",
    "ResponseComputerToolCallOutputItem",
    "ResponseCustomToolCall",
    "ResponseCustomToolCallOutputItem",
    "ResponseFileSearchToolCall",
    "ResponseFunctionShellToolCall",
    "ResponseFunctionShellToolCallOutput",
    "ResponseFunctionToolCall",
    "ResponseFunctionToolCallOutputItem",
    "ResponseFunctionWebSearch",
    "ResponseItem",
    "ResponseOutputItem",
    "ResponseOutputMessage",
    "ResponseReasoningItem",
    "ResponseToolSearchCall",
    "ResponseToolSearchOutputItem",
    "UnknownItem",
]


class ResponseItem(WireModel):
    """The base of all items."""

    id: str = ""
    status: str | None = None


class _Call(ResponseItem):
    """A call that an output item answers by its `call_id`."""

    call_id: str = ""
    caller: Caller | None = None


class ResponseOutputMessage(ResponseItem):
    """What the model says."""

    type: Literal["message"]
    role: str = "assistant"
    content: list[ContentPart] = Field(default_factory=list)
    phase: str | None = None


class ResponseReasoningItem(ResponseItem):
    """What the model thought; `encrypted_content` carries it to the next turn."""

    type: Literal["reasoning"]
    summary: list[ContentPart] = Field(default_factory=list)
    content: list[ContentPart] | None = None
    encrypted_content: str | None = None


class ResponseFunctionToolCall(_Call):
    """A call of a function; `arguments` is JSON as the model wrote it."""

    type: Literal["function_call"]
    name: str = ""
    arguments: str = ""
    namespace: str | None = None


class ResponseFunctionToolCallOutputItem(_Call):
    """What a function answered."""

    type: Literal["function_call_output"]
    output: str | list[OpenObject] = ""
    name: str | None = None
    namespace: str | None = None


class ResponseCustomToolCall(_Call):
    """A call of a tool that takes free text."""

    type: Literal["custom_tool_call"]
    name: str = ""
    input: str = ""
    namespace: str | None = None


class ResponseCustomToolCallOutputItem(_Call):
    """What a tool that takes free text answered."""

    type: Literal["custom_tool_call_output"]
    output: str | list[OpenObject] = ""


class ResponseFunctionWebSearch(ResponseItem):
    """A search of the web, or a look at one page of it."""

    type: Literal["web_search_call"]
    action: WebSearchAction | None = None


class ResponseFileSearchToolCall(ResponseItem):
    """A search through vector stores."""

    type: Literal["file_search_call"]
    queries: list[str] = Field(default_factory=list)
    results: list[FileSearchResult] | None = None


class ResponseCodeInterpreterToolCall(ResponseItem):
    """Code that ran in a container."""

    type: Literal["code_interpreter_call"]
    container_id: str = ""
    code: str | None = None
    outputs: list[CodeInterpreterOutput] | None = None


class ImageGenerationCall(ResponseItem):
    """An image; `result` is its base64."""

    type: Literal["image_generation_call"]
    result: str | None = None
    revised_prompt: str | None = None
    action: str | None = None
    background: str | None = None
    output_format: str | None = None
    quality: str | None = None
    size: str | None = None
    error: OpenObject | None = None


class ResponseComputerToolCall(_Call):
    """Something to do on a screen: one `action`, or several `actions`."""

    type: Literal["computer_call"]
    action: OpenObject | None = None
    actions: list[OpenObject] | None = None
    pending_safety_checks: list[SafetyCheck] = Field(default_factory=list)


class ResponseComputerToolCallOutputItem(_Call):
    """The screen after an action."""

    type: Literal["computer_call_output"]
    output: OpenObject | None = None
    acknowledged_safety_checks: list[SafetyCheck] | None = None


class ResponseFunctionShellToolCall(_Call):
    """Commands for a shell, in a container or at the caller's."""

    type: Literal["shell_call"]
    action: ShellCallAction | None = None
    environment: OpenObject | None = None


class ResponseFunctionShellToolCallOutput(_Call):
    """What the commands wrote."""

    type: Literal["shell_call_output"]
    output: list[ShellCallOutputContent] = Field(default_factory=list)
    max_output_length: int | None = None


class LocalShellCall(_Call):
    """A command for the caller's own machine."""

    type: Literal["local_shell_call"]
    action: LocalShellCallAction | None = None


class LocalShellCallOutput(ResponseItem):
    """What a command on the caller's own machine wrote."""

    type: Literal["local_shell_call_output"]
    output: str = ""


class ResponseApplyPatchToolCall(_Call):
    """A change to a file."""

    type: Literal["apply_patch_call"]
    operation: ApplyPatchOperation | None = None


class ResponseApplyPatchToolCallOutput(_Call):
    """Whether a change to a file worked."""

    type: Literal["apply_patch_call_output"]
    output: str | None = None


class McpCall(ResponseItem):
    """A call of a tool of an MCP server, with its answer."""

    type: Literal["mcp_call"]
    server_label: str = ""
    name: str = ""
    arguments: str = ""
    output: str | None = None
    error: OpenObject | None = None
    approval_request_id: str | None = None


class McpListTools(ResponseItem):
    """The tools that an MCP server offers."""

    type: Literal["mcp_list_tools"]
    server_label: str = ""
    tools: list[McpListToolsTool] = Field(default_factory=list)
    error: str | None = None


class McpApprovalRequest(ResponseItem):
    """The question whether a tool of an MCP server may be called."""

    type: Literal["mcp_approval_request"]
    server_label: str = ""
    name: str = ""
    arguments: str = ""


class McpApprovalResponse(ResponseItem):
    """The answer to that question."""

    type: Literal["mcp_approval_response"]
    approval_request_id: str = ""
    approve: bool = False
    reason: str | None = None


class ResponseToolSearchCall(ResponseItem):
    """A search for tools, done by the `server` or left to the `client`."""

    type: Literal["tool_search_call"]
    call_id: str | None = None
    arguments: Any = None
    execution: str = ""


class ResponseToolSearchOutputItem(ResponseItem):
    """The tools that a search found."""

    type: Literal["tool_search_output"]
    call_id: str | None = None
    execution: str = ""
    tools: list[Tool] = Field(default_factory=list)


class AdditionalTools(ResponseItem):
    """Tools that join in the middle of a conversation."""

    type: Literal["additional_tools"]
    role: str = ""
    tools: list[Tool] = Field(default_factory=list)


class ResponseCompactionItem(ResponseItem):
    """A stretch of conversation, made small; opaque."""

    type: Literal["compaction"]
    encrypted_content: str = ""


class Program(_Call):
    """A program that calls tools."""

    type: Literal["program"]
    code: str = ""
    fingerprint: str = ""


class ProgramOutput(_Call):
    """What a program gave back."""

    type: Literal["program_output"]
    result: str = ""


class UnknownItem(OpenObject):
    """An item of a type that is not known here."""

    type: UnknownType = ""
    id: str = ""
    status: str | None = None


ResponseOutputItem = Annotated[
    Annotated[
        ResponseOutputMessage
        | ResponseReasoningItem
        | ResponseFunctionToolCall
        | ResponseFunctionToolCallOutputItem
        | ResponseCustomToolCall
        | ResponseCustomToolCallOutputItem
        | ResponseFunctionWebSearch
        | ResponseFileSearchToolCall
        | ResponseCodeInterpreterToolCall
        | ImageGenerationCall
        | ResponseComputerToolCall
        | ResponseComputerToolCallOutputItem
        | ResponseFunctionShellToolCall
        | ResponseFunctionShellToolCallOutput
        | LocalShellCall
        | LocalShellCallOutput
        | ResponseApplyPatchToolCall
        | ResponseApplyPatchToolCallOutput
        | McpCall
        | McpListTools
        | McpApprovalRequest
        | McpApprovalResponse
        | ResponseToolSearchCall
        | ResponseToolSearchOutputItem
        | AdditionalTools
        | ResponseCompactionItem
        | Program
        | ProgramOutput,
        Field(discriminator="type"),
    ]
    | UnknownItem,
    Field(union_mode="left_to_right"),
]
"""An item of ``response.output``."""
