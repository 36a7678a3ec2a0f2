"""Stream events as typed objects: one class for each type, named as in the official OpenAI SDK."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import Field

from dragoman.models.hosted_events import (
    ItemEvent,
    OutputEvent,
    ResponseAudioDeltaEvent,
    ResponseAudioDoneEvent,
    ResponseAudioTranscriptDeltaEvent,
    ResponseAudioTranscriptDoneEvent,
    ResponseCodeInterpreterCallCodeDeltaEvent,
    ResponseCodeInterpreterCallCodeDoneEvent,
    ResponseCodeInterpreterCallCompletedEvent,
    ResponseCodeInterpreterCallInProgressEvent,
    ResponseCodeInterpreterCallInterpretingEvent,
    ResponseCompactionCompactingEvent,
    ResponseFileSearchCallCompletedEvent,
    ResponseFileSearchCallInProgressEvent,
    ResponseFileSearchCallSearchingEvent,
    ResponseImageGenCallCompletedEvent,
    ResponseImageGenCallGeneratingEvent,
    ResponseImageGenCallInProgressEvent,
    ResponseImageGenCallPartialImageEvent,
    ResponseMcpCallArgumentsDeltaEvent,
    ResponseMcpCallArgumentsDoneEvent,
    ResponseMcpCallCompletedEvent,
    ResponseMcpCallFailedEvent,
    ResponseMcpCallInProgressEvent,
    ResponseMcpListToolsCompletedEvent,
    ResponseMcpListToolsFailedEvent,
    ResponseMcpListToolsInProgressEvent,
    ResponseShellCallCommandAddedEvent,
    ResponseShellCallCommandDeltaEvent,
    ResponseShellCallCommandDoneEvent,
    ResponseShellCallOutputContentDeltaEvent,
    ResponseShellCallOutputContentDoneEvent,
    ResponseWebSearchCallCompletedEvent,
    ResponseWebSearchCallInProgressEvent,
    ResponseWebSearchCallSearchingEvent,
    StreamEvent,
)
from dragoman.models.items import ResponseOutputItem
from dragoman.models.parts import Annotation, ContentPart, Logprob, OpenObject, UnknownType
from dragoman.models.responses import Response

__all__ = [
    "ContentEvent",
    "LifecycleEvent",
    "ResponseCompletedEvent",
    "ResponseContentPartAddedEvent",
    "ResponseContentPartDoneEvent",
    "ResponseCreatedEvent",
    "ResponseCustomToolCallInputDeltaEvent",
    "ResponseCustomToolCallInputDoneEvent",
    "ResponseErrorEvent",
    "ResponseFailedEvent",
    "ResponseFunctionCallArgumentsDeltaEvent",
    "ResponseFunctionCallArgumentsDoneEvent",
    "ResponseInProgressEvent",
    "ResponseIncompleteEvent",
    "ResponseOutputItemAddedEvent",
    "ResponseOutputItemDoneEvent",
    "ResponseOutputTextAnnotationAddedEvent",
    "ResponseQueuedEvent",
    "ResponseReasoningSummaryPartAddedEvent",
    "ResponseReasoningSummaryPartDoneEvent",
    "ResponseReasoningSummaryTextDeltaEvent",
    "ResponseReasoningSummaryTextDoneEvent",
    "ResponseReasoningTextDeltaEvent",
    "ResponseReasoningTextDoneEvent",
    "ResponseRefusalDeltaEvent",
    "ResponseRefusalDoneEvent",
    "ResponseStreamEvent",
    "ResponseTextDeltaEvent",
    "ResponseTextDoneEvent",
    "SummaryEvent",
    "UnknownEvent",
    "parse_event",
]


# What events have in common


class LifecycleEvent(StreamEvent):
    """An event about the response as a whole, with all of it so far."""

    response: Response = Field(default_factory=Response)


class ContentEvent(ItemEvent):
    """An event about one part of the content of an item."""

    content_index: int = 0


class SummaryEvent(ItemEvent):
    """An event about one part of the summary of a reasoning item."""

    summary_index: int = 0


# The events, in the order of the API reference


class ResponseCreatedEvent(LifecycleEvent):
    """The response has begun."""

    type: Literal["response.created"]


class ResponseQueuedEvent(LifecycleEvent):
    """The response waits for its turn."""

    type: Literal["response.queued"]


class ResponseInProgressEvent(LifecycleEvent):
    """The model is at work."""

    type: Literal["response.in_progress"]


class ResponseCompletedEvent(LifecycleEvent):
    """The end: the answer is whole."""

    type: Literal["response.completed"]


class ResponseFailedEvent(LifecycleEvent):
    """The end: `response.error` says why there is no whole answer."""

    type: Literal["response.failed"]


class ResponseIncompleteEvent(LifecycleEvent):
    """The end: `response.incomplete_details` says what cut the answer short."""

    type: Literal["response.incomplete"]


class ResponseOutputItemAddedEvent(OutputEvent):
    """An item begins."""

    type: Literal["response.output_item.added"]
    item: ResponseOutputItem | None = None


class ResponseOutputItemDoneEvent(OutputEvent):
    """An item is whole."""

    type: Literal["response.output_item.done"]
    item: ResponseOutputItem | None = None


class ResponseContentPartAddedEvent(ContentEvent):
    """A content part begins."""

    type: Literal["response.content_part.added"]
    part: ContentPart | None = None


class ResponseContentPartDoneEvent(ContentEvent):
    """A content part is whole."""

    type: Literal["response.content_part.done"]
    part: ContentPart | None = None


class ResponseTextDeltaEvent(ContentEvent):
    """A piece of text."""

    type: Literal["response.output_text.delta"]
    delta: str = ""
    logprobs: list[Logprob] = Field(default_factory=list)


class ResponseTextDoneEvent(ContentEvent):
    """The whole text."""

    type: Literal["response.output_text.done"]
    text: str = ""
    logprobs: list[Logprob] = Field(default_factory=list)


class ResponseOutputTextAnnotationAddedEvent(ContentEvent):
    """A citation in the text."""

    type: Literal["response.output_text.annotation.added"]
    annotation: Annotation | None = None
    annotation_index: int = 0


class ResponseRefusalDeltaEvent(ContentEvent):
    """A piece of a refusal."""

    type: Literal["response.refusal.delta"]
    delta: str = ""


class ResponseRefusalDoneEvent(ContentEvent):
    """The whole refusal."""

    type: Literal["response.refusal.done"]
    refusal: str = ""


class ResponseReasoningSummaryPartAddedEvent(SummaryEvent):
    """A part of the summary of the reasoning begins."""

    type: Literal["response.reasoning_summary_part.added"]
    part: ContentPart | None = None


class ResponseReasoningSummaryPartDoneEvent(SummaryEvent):
    """A part of the summary is whole, or cut short (`status`)."""

    type: Literal["response.reasoning_summary_part.done"]
    part: ContentPart | None = None
    status: str | None = None


class ResponseReasoningSummaryTextDeltaEvent(SummaryEvent):
    """A piece of the summary."""

    type: Literal["response.reasoning_summary_text.delta"]
    delta: str = ""


class ResponseReasoningSummaryTextDoneEvent(SummaryEvent):
    """The whole text of a part of the summary."""

    type: Literal["response.reasoning_summary_text.done"]
    text: str = ""


class ResponseReasoningTextDeltaEvent(ContentEvent):
    """A piece of raw reasoning."""

    type: Literal["response.reasoning_text.delta"]
    delta: str = ""


class ResponseReasoningTextDoneEvent(ContentEvent):
    """The whole raw reasoning."""

    type: Literal["response.reasoning_text.done"]
    text: str = ""


class ResponseFunctionCallArgumentsDeltaEvent(ItemEvent):
    """A piece of a function call's arguments."""

    type: Literal["response.function_call_arguments.delta"]
    delta: str = ""


class ResponseFunctionCallArgumentsDoneEvent(ItemEvent):
    """The whole arguments, as JSON."""

    type: Literal["response.function_call_arguments.done"]
    arguments: str = ""
    name: str | None = None


class ResponseCustomToolCallInputDeltaEvent(ItemEvent):
    """A piece of a custom tool's input."""

    type: Literal["response.custom_tool_call_input.delta"]
    delta: str = ""


class ResponseCustomToolCallInputDoneEvent(ItemEvent):
    """The whole input."""

    type: Literal["response.custom_tool_call_input.done"]
    input: str = ""


class ResponseErrorEvent(StreamEvent):
    """Something broke. The fields are filled from a nested `error` object where only that came."""

    type: Literal["error"]
    code: str | None = None
    message: str = ""
    param: str | None = None
    error: OpenObject | None = None

    def model_post_init(self, _context: Any, /) -> None:
        """Read the nested form; what is filled in doesn't count as set, so a dump is what came."""
        if isinstance(self.error, OpenObject):
            nested = self.error.model_dump(exclude_unset=True)
            for name in ("code", "message", "param"):
                if name in nested and name not in self.model_fields_set:
                    self.__dict__[name] = nested[name]


class UnknownEvent(OpenObject):
    """An event of a type that is not known here."""

    type: UnknownType = ""
    sequence_number: int = 0


ResponseStreamEvent = (
    ResponseCreatedEvent
    | ResponseQueuedEvent
    | ResponseInProgressEvent
    | ResponseCompletedEvent
    | ResponseFailedEvent
    | ResponseIncompleteEvent
    | ResponseOutputItemAddedEvent
    | ResponseOutputItemDoneEvent
    | ResponseContentPartAddedEvent
    | ResponseContentPartDoneEvent
    | ResponseTextDeltaEvent
    | ResponseTextDoneEvent
    | ResponseOutputTextAnnotationAddedEvent
    | ResponseRefusalDeltaEvent
    | ResponseRefusalDoneEvent
    | ResponseReasoningSummaryPartAddedEvent
    | ResponseReasoningSummaryPartDoneEvent
    | ResponseReasoningSummaryTextDeltaEvent
    | ResponseReasoningSummaryTextDoneEvent
    | ResponseReasoningTextDeltaEvent
    | ResponseReasoningTextDoneEvent
    | ResponseFunctionCallArgumentsDeltaEvent
    | ResponseFunctionCallArgumentsDoneEvent
    | ResponseCustomToolCallInputDeltaEvent
    | ResponseCustomToolCallInputDoneEvent
    | ResponseWebSearchCallInProgressEvent
    | ResponseWebSearchCallSearchingEvent
    | ResponseWebSearchCallCompletedEvent
    | ResponseFileSearchCallInProgressEvent
    | ResponseFileSearchCallSearchingEvent
    | ResponseFileSearchCallCompletedEvent
    | ResponseCodeInterpreterCallInProgressEvent
    | ResponseCodeInterpreterCallInterpretingEvent
    | ResponseCodeInterpreterCallCompletedEvent
    | ResponseCodeInterpreterCallCodeDeltaEvent
    | ResponseCodeInterpreterCallCodeDoneEvent
    | ResponseImageGenCallInProgressEvent
    | ResponseImageGenCallGeneratingEvent
    | ResponseImageGenCallCompletedEvent
    | ResponseImageGenCallPartialImageEvent
    | ResponseMcpCallInProgressEvent
    | ResponseMcpCallCompletedEvent
    | ResponseMcpCallFailedEvent
    | ResponseMcpCallArgumentsDeltaEvent
    | ResponseMcpCallArgumentsDoneEvent
    | ResponseMcpListToolsInProgressEvent
    | ResponseMcpListToolsCompletedEvent
    | ResponseMcpListToolsFailedEvent
    | ResponseCompactionCompactingEvent
    | ResponseShellCallCommandAddedEvent
    | ResponseShellCallCommandDeltaEvent
    | ResponseShellCallCommandDoneEvent
    | ResponseShellCallOutputContentDeltaEvent
    | ResponseShellCallOutputContentDoneEvent
    | ResponseAudioDeltaEvent
    | ResponseAudioDoneEvent
    | ResponseAudioTranscriptDeltaEvent
    | ResponseAudioTranscriptDoneEvent
    | ResponseErrorEvent
    | UnknownEvent
)
"""Any event of a stream."""

_CLASSES: dict[str, type[ResponseStreamEvent]] = {
    get_args(kind.model_fields["type"].annotation)[0]: kind
    for kind in get_args(ResponseStreamEvent)
    if kind is not UnknownEvent
}


def parse_event(event: Mapping[str, Any]) -> ResponseStreamEvent:
    """Return `event`, parsed JSON, as an object of its class; an odd event is no error."""
    kind = event.get("type")
    return (_CLASSES.get(kind, UnknownEvent) if isinstance(kind, str) else UnknownEvent).model_validate(event)
