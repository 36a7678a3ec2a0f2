"""Stream events of hosted tools, shells and audio, and the bases of all events."""

from typing import Literal

from pydantic import Field

from dragoman.models.parts import ShellCallOutputContent, WireModel

__all__ = [
    "CommandEvent",
    "ItemEvent",
    "OutputEvent",
    "ResponseAudioDeltaEvent",
    "ResponseAudioDoneEvent",
    "ResponseAudioTranscriptDeltaEvent",
    "ResponseAudioTranscriptDoneEvent",
    "ResponseCodeInterpreterCallCodeDeltaEvent",
    "ResponseCodeInterpreterCallCodeDoneEvent",
    "ResponseCodeInterpreterCallCompletedEvent",
    "ResponseCodeInterpreterCallInProgressEvent",
    "ResponseCodeInterpreterCallInterpretingEvent",
    "ResponseCompactionCompactingEvent",
    "ResponseFileSearchCallCompletedEvent",
    "ResponseFileSearchCallInProgressEvent",
    "ResponseFileSearchCallSearchingEvent",
    "ResponseImageGenCallCompletedEvent",
    "ResponseImageGenCallGeneratingEvent",
    "ResponseImageGenCallInProgressEvent",
    "ResponseImageGenCallPartialImageEvent",
    "ResponseMcpCallArgumentsDeltaEvent",
    "ResponseMcpCallArgumentsDoneEvent",
    "ResponseMcpCallCompletedEvent",
    "ResponseMcpCallFailedEvent",
    "ResponseMcpCallInProgressEvent",
    "ResponseMcpListToolsCompletedEvent",
    "ResponseMcpListToolsFailedEvent",
    "ResponseMcpListToolsInProgressEvent",
    "ResponseShellCallCommandAddedEvent",
    "ResponseShellCallCommandDeltaEvent",
    "ResponseShellCallCommandDoneEvent",
    "ResponseShellCallOutputContentDeltaEvent",
    "ResponseShellCallOutputContentDoneEvent",
    "ResponseWebSearchCallCompletedEvent",
    "ResponseWebSearchCallInProgressEvent",
    "ResponseWebSearchCallSearchingEvent",
    "StreamEvent",
]


class StreamEvent(WireModel):
    """Every event tells its place in the stream; numbers start at 0 and have no gaps."""

    sequence_number: int = 0


class OutputEvent(StreamEvent):
    """An event at one place of ``response.output``."""

    output_index: int = 0


class ItemEvent(OutputEvent):
    """An event about one item."""

    item_id: str = ""


class CommandEvent(OutputEvent):
    """An event about one command of a shell call."""

    command_index: int = 0


class ResponseWebSearchCallInProgressEvent(ItemEvent):
    """A web search begins."""

    type: Literal["response.web_search_call.in_progress"]


class ResponseWebSearchCallSearchingEvent(ItemEvent):
    """A web search is on its way."""

    type: Literal["response.web_search_call.searching"]


class ResponseWebSearchCallCompletedEvent(ItemEvent):
    """A web search is done."""

    type: Literal["response.web_search_call.completed"]


class ResponseFileSearchCallInProgressEvent(ItemEvent):
    """A file search begins."""

    type: Literal["response.file_search_call.in_progress"]


class ResponseFileSearchCallSearchingEvent(ItemEvent):
    """A file search is on its way."""

    type: Literal["response.file_search_call.searching"]


class ResponseFileSearchCallCompletedEvent(ItemEvent):
    """A file search is done."""

    type: Literal["response.file_search_call.completed"]


class ResponseCodeInterpreterCallInProgressEvent(ItemEvent):
    """The code interpreter is called."""

    type: Literal["response.code_interpreter_call.in_progress"]


class ResponseCodeInterpreterCallInterpretingEvent(ItemEvent):
    """The code runs."""

    type: Literal["response.code_interpreter_call.interpreting"]


class ResponseCodeInterpreterCallCompletedEvent(ItemEvent):
    """The code has run."""

    type: Literal["response.code_interpreter_call.completed"]


class ResponseCodeInterpreterCallCodeDeltaEvent(ItemEvent):
    """A piece of code."""

    type: Literal["response.code_interpreter_call_code.delta"]
    delta: str = ""


class ResponseCodeInterpreterCallCodeDoneEvent(ItemEvent):
    """The whole code."""

    type: Literal["response.code_interpreter_call_code.done"]
    code: str = ""


class ResponseImageGenCallInProgressEvent(ItemEvent):
    """An image is asked for."""

    type: Literal["response.image_generation_call.in_progress"]


class ResponseImageGenCallGeneratingEvent(ItemEvent):
    """An image is being made."""

    type: Literal["response.image_generation_call.generating"]


class ResponseImageGenCallCompletedEvent(ItemEvent):
    """An image is done."""

    type: Literal["response.image_generation_call.completed"]


class ResponseImageGenCallPartialImageEvent(ItemEvent):
    """An image as far as it is, in base64."""

    type: Literal["response.image_generation_call.partial_image"]
    partial_image_b64: str = ""
    partial_image_index: int = 0
    background: str | None = None
    output_format: str | None = None
    quality: str | None = None
    size: str | None = None


class ResponseMcpCallInProgressEvent(ItemEvent):
    """A tool of an MCP server is called."""

    type: Literal["response.mcp_call.in_progress"]


class ResponseMcpCallCompletedEvent(ItemEvent):
    """A tool of an MCP server has answered."""

    type: Literal["response.mcp_call.completed"]


class ResponseMcpCallFailedEvent(ItemEvent):
    """A call of a tool of an MCP server failed."""

    type: Literal["response.mcp_call.failed"]


class ResponseMcpCallArgumentsDeltaEvent(ItemEvent):
    """A piece of an MCP call's arguments."""

    type: Literal["response.mcp_call_arguments.delta"]
    delta: str = ""


class ResponseMcpCallArgumentsDoneEvent(ItemEvent):
    """The whole arguments, as JSON."""

    type: Literal["response.mcp_call_arguments.done"]
    arguments: str = ""


class ResponseMcpListToolsInProgressEvent(ItemEvent):
    """An MCP server is asked for its tools."""

    type: Literal["response.mcp_list_tools.in_progress"]


class ResponseMcpListToolsCompletedEvent(ItemEvent):
    """An MCP server has told its tools."""

    type: Literal["response.mcp_list_tools.completed"]


class ResponseMcpListToolsFailedEvent(ItemEvent):
    """An MCP server did not tell its tools."""

    type: Literal["response.mcp_list_tools.failed"]


class ResponseCompactionCompactingEvent(ItemEvent):
    """The conversation is being made smaller."""

    type: Literal["response.compaction.compacting"]


class ResponseShellCallCommandAddedEvent(CommandEvent):
    """A command begins."""

    type: Literal["response.shell_call_command.added"]
    command: str = ""


class ResponseShellCallCommandDeltaEvent(CommandEvent):
    """A piece of a command."""

    type: Literal["response.shell_call_command.delta"]
    delta: str = ""
    obfuscation: str | None = None


class ResponseShellCallCommandDoneEvent(CommandEvent):
    """The whole command."""

    type: Literal["response.shell_call_command.done"]
    command: str = ""


class ResponseShellCallOutputContentDeltaEvent(CommandEvent):
    """A piece of what a command wrote."""

    type: Literal["response.shell_call_output_content.delta"]
    item_id: str = ""
    delta: ShellCallOutputContent | None = None


class ResponseShellCallOutputContentDoneEvent(CommandEvent):
    """All that a command wrote."""

    type: Literal["response.shell_call_output_content.done"]
    item_id: str = ""
    output: list[ShellCallOutputContent] = Field(default_factory=list)


class ResponseAudioDeltaEvent(StreamEvent):
    """A piece of audio, in base64."""

    type: Literal["response.audio.delta"]
    delta: str = ""


class ResponseAudioDoneEvent(StreamEvent):
    """The audio is whole."""

    type: Literal["response.audio.done"]


class ResponseAudioTranscriptDeltaEvent(StreamEvent):
    """A piece of what the audio says."""

    type: Literal["response.audio.transcript.delta"]
    delta: str = ""


class ResponseAudioTranscriptDoneEvent(StreamEvent):
    """The transcript is whole."""

    type: Literal["response.audio.transcript.done"]
