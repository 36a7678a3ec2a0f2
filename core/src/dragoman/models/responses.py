"""The Response as a typed object, and what it is made of."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, PrivateAttr

from dragoman.models.items import ResponseOutputItem, ResponseOutputMessage
from dragoman.models.parts import OpenObject, ResponseOutputText, Tool, WireModel

__all__ = [
    "CompactedResponse",
    "Conversation",
    "DragomanDetails",
    "IncompleteDetails",
    "InputTokenCount",
    "InputTokensDetails",
    "OutputTokensDetails",
    "Reasoning",
    "Response",
    "ResponseAttempt",
    "ResponseError",
    "ResponsePrompt",
    "ResponseTextConfig",
    "ResponseUsage",
    "ResponseWarning",
    "parse_response",
]


class InputTokensDetails(WireModel):
    """The part of the input tokens that a cache served, and the part written to one."""

    cached_tokens: int = 0
    cache_write_tokens: int = 0


class OutputTokensDetails(WireModel):
    """The part of the output tokens that went into reasoning."""

    reasoning_tokens: int = 0


class ResponseUsage(WireModel):
    """Tokens; cached ones are part of the input, reasoning is part of the output."""

    input_tokens: int = 0
    input_tokens_details: InputTokensDetails = Field(default_factory=InputTokensDetails)
    output_tokens: int = 0
    output_tokens_details: OutputTokensDetails = Field(default_factory=OutputTokensDetails)
    total_tokens: int = 0


class InputTokenCount(WireModel):
    """How many tokens an input has, by the provider's own counter."""

    object: str = "response.input_tokens"
    input_tokens: int = 0


class CompactedResponse(WireModel):
    """A conversation's window, made short: its items are the next request's input, as they are."""

    id: str = ""
    object: str = "response.compaction"
    created_at: int = 0
    output: list[ResponseOutputItem] = Field(default_factory=list)
    usage: ResponseUsage = Field(default_factory=ResponseUsage)


class ResponseError(WireModel):
    """Why a response failed."""

    code: str = ""
    message: str = ""


class IncompleteDetails(WireModel):
    """Why a response is incomplete: `max_output_tokens`, `content_filter` and the like."""

    reason: str | None = None


class Conversation(WireModel):
    """The conversation that a response belongs to."""

    id: str = ""


class Reasoning(WireModel):
    """How much the model was to think, and what of it to tell."""

    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None
    context: str | None = None
    mode: str | None = None


class ResponseTextConfig(WireModel):
    """The format and the length that were asked for."""

    format: OpenObject | None = None
    verbosity: str | None = None


class ResponsePrompt(WireModel):
    """A stored prompt, and what was put into its variables."""

    id: str = ""
    version: str | None = None
    variables: dict[str, Any] | None = None


class ResponseAttempt(WireModel):
    """One try at one deployment, with what came of it."""

    model: str = ""
    """``provider/model``"""
    deployment: str = ""
    """The deployment's id."""
    outcome: str = ""
    """"success", "failed", "timeout", "cancelled" or "abandoned"."""
    status: int | None = None
    """The HTTP status of the failure."""
    code: str | None = None
    duration: float = 0.0
    """Seconds."""
    first_event: float | None = None
    """Seconds until the first event with content."""
    usage: dict[str, Any] | None = None
    request_id: str | None = None
    """The upstream's own id of the request."""


class ResponseWarning(WireModel):
    """Something that was asked for and could not be done as asked."""

    message: str = ""
    param: str | None = None
    code: str | None = None


class DragomanDetails(WireModel):
    """What dragoman adds to a response: who answered, after which attempts, at what cost."""

    provider: str | None = None
    model: str | None = None
    attempts: list[ResponseAttempt] = Field(default_factory=list)
    cost: dict[str, Any] | None = None
    usage_details: dict[str, int] | None = None
    warnings: list[ResponseWarning] = Field(default_factory=list)


class Response(WireModel):
    """A response, with the attributes that the official OpenAI SDK has, and `dragoman`."""

    id: str = ""
    object: str = "response"
    created_at: int | float = 0
    completed_at: int | float | None = None
    status: str | None = None
    error: ResponseError | None = None
    incomplete_details: IncompleteDetails | None = None
    model: str = ""
    output: list[ResponseOutputItem] = Field(default_factory=list)
    usage: ResponseUsage | None = None
    previous_response_id: str | None = None
    conversation: Conversation | None = None
    instructions: str | list[OpenObject] | None = None
    tools: list[Tool] = Field(default_factory=list)
    tool_choice: str | OpenObject = "auto"
    parallel_tool_calls: bool = True
    max_tool_calls: int | None = None
    reasoning: Reasoning | None = None
    text: ResponseTextConfig | None = None
    max_output_tokens: int | None = None
    temperature: int | float | None = None
    top_p: int | float | None = None
    top_logprobs: int | None = None
    presence_penalty: int | float | None = None
    frequency_penalty: int | float | None = None
    truncation: str | None = None
    store: bool | None = None
    background: bool | None = None
    service_tier: str | None = None
    metadata: dict[str, str] | None = None
    prompt: ResponsePrompt | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: OpenObject | None = None
    prompt_cache_retention: str | None = None
    prompt_cache_diagnostics: OpenObject | None = None
    safety_identifier: str | None = None
    user: str | None = None
    access_programs: OpenObject | None = None
    image: OpenObject | None = None
    input_transformations: list[OpenObject] | None = None
    moderation: OpenObject | None = None
    tool_usage: OpenObject | None = None
    dragoman: DragomanDetails | None = None

    _output_parsed: Any = PrivateAttr(None)

    @property
    def output_text(self) -> str:
        """The text of all messages, joined; empty where the model said nothing."""
        # An upstream may put anything anywhere, hence the checks that the types call needless.
        return "".join(
            part.text
            for item in self.output or ()
            if isinstance(item, ResponseOutputMessage)
            for part in item.content or ()
            if isinstance(part, ResponseOutputText) and isinstance(part.text, str)
        )

    @property
    def output_parsed(self) -> Any:
        """The answer as an object of the class given as `text_format`; None where none was given."""
        return self._output_parsed


def parse_response(body: Mapping[str, Any]) -> Response:
    """Return the response that `body`, parsed JSON, holds; an odd body is no error."""
    return Response.model_validate(body)
