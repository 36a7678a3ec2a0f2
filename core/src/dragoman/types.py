"""What travels on the wire, as types: the parameters of a call, items, events, the response.

Inside dragoman all of these are plain dicts; ``dragoman.models`` has objects for those who prefer them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

    # What a caller may give where the wire has an object: a dict, or a typed object of any SDK.
    ObjectParam: TypeAlias = Mapping[str, Any] | BaseModel

__all__ = [
    "LIFECYCLE_EVENTS",
    "TERMINAL_EVENTS",
    "CallParameters",
    "Event",
    "InputTokensDetails",
    "Item",
    "OutputTokensDetails",
    "ResponseObject",
    "Usage",
]

Item: TypeAlias = dict[str, Any]
"""An item: `type`, `id`, and what its type has."""

Event: TypeAlias = dict[str, Any]
"""A stream event: `type`, `sequence_number`, and what its type has."""

LIFECYCLE_EVENTS = frozenset({"response.created", "response.queued", "response.in_progress"})
"""The types of events that come before any content."""

TERMINAL_EVENTS = frozenset({"response.completed", "response.failed", "response.incomplete"})
"""The types of the last event of a stream."""

ResponseObject: TypeAlias = dict[str, Any]
"""A response, as ``POST /responses`` answers it."""


class InputTokensDetails(TypedDict):
    """The part of the input tokens that a cache served, and the part written to one."""

    cached_tokens: int
    cache_write_tokens: int


class OutputTokensDetails(TypedDict):
    """The part of the output tokens that went into reasoning."""

    reasoning_tokens: int


class Usage(TypedDict):
    """Tokens; cached ones are part of the input, reasoning is part of the output."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


class CallParameters(TypedDict, total=False):
    """The parameters of ``POST /responses`` but `stream`, which decides what a call returns.

    None counts as not given.
    """

    model: str
    input: str | Sequence[ObjectParam] | None
    instructions: str | None
    previous_response_id: str | None
    conversation: str | ObjectParam | None
    prompt: ObjectParam | None

    tools: Sequence[ObjectParam] | None
    tool_choice: Literal["none", "auto", "required"] | ObjectParam | None
    parallel_tool_calls: bool | None
    max_tool_calls: int | None

    reasoning: ObjectParam | None
    text: ObjectParam | None
    max_output_tokens: int | None
    temperature: float | None
    top_p: float | None
    top_logprobs: int | None
    presence_penalty: float | None
    frequency_penalty: float | None
    truncation: Literal["auto", "disabled"] | None
    context_management: Sequence[ObjectParam] | None

    stream_options: ObjectParam | None
    background: bool | None
    background_options: ObjectParam | None
    store: bool | None
    include: Sequence[str] | None
    metadata: Mapping[str, str] | None

    service_tier: str | None
    prompt_cache_key: str | None
    prompt_cache_options: ObjectParam | None
    prompt_cache_retention: str | None
    safety_identifier: str | None
    user: str | None
    moderation: ObjectParam | None
    access_programs: ObjectParam | None
    image: ObjectParam | None
