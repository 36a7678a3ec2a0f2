"""A host: where a server that speaks Chat Completions stands, and how it differs from others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Host"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A server that speaks Chat Completions (or the Responses API), and where it differs from others."""

    name: str
    """The model prefix."""
    title: str
    documentation: str
    base: str | None = None
    """Where ``/chat/completions`` stands; None: the caller says so."""
    base_suffix: str = ""
    """What belongs at the end of the address, where people usually leave it out."""
    base_variables: tuple[str, ...] = ()
    key_variables: tuple[str, ...] = ()
    key_required: bool = True
    models: tuple[str, ...] = ()
    native: bool = False
    """Whether it speaks the Responses API itself: then requests and answers go through as they are."""

    developer_role: Literal["system", "developer"] = "system"
    """What a developer message is called."""
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What bounds the output."""
    effort: Literal["reasoning_effort", "reasoning", "thinking"] = "reasoning_effort"
    """How `reasoning.effort` is said: a word, ``{"effort": ...}``, or ``{"type": "enabled"}`` and a word."""
    efforts: str = ""
    """The efforts it knows, where others are refused: then the nearest is asked for."""
    reasoning_field: str | None = None
    """Where readable reasoning that nobody sealed goes in an assistant's message; None: it is left out."""
    structured: Literal["json_schema", "json_object"] = "json_schema"
    """The strictest form of answer it knows; a schema is then told in words."""
    asks_for_usage: bool = True
    """Whether a stream must be asked for its usage (others tell it anyway, and refuse to be asked)."""
    functions: bool = True
    """Whether it calls the caller's functions."""
    forced_choice: Literal["required", "any", ""] = "required"
    """How a call is demanded; "": it cannot be, and `tool_choice` is "auto" or absent."""
    file_url: Literal["", "file_data", "document_url"] = ""
    """How a file is sent by its address, where it can be; with ``document_url``, its data goes there too."""
    plain_content: bool = False
    """Whether content may be a string alone: no parts, no images."""
    short_call_ids: bool = False
    """Whether ids of calls must be nine letters and digits."""
    acknowledges_results: bool = False
    """Whether the assistant must have spoken between a call's result and the user's next message."""
    returns_annotations: bool = False
    """Whether an answer's annotations are to be sent back (parsed files: not to be paid for twice)."""
    web_search: Literal["", "tool", "always"] = ""
    """How the web is searched: by a tool of the host's, or at every call, with or without a tool."""
    tool_prefix: str = ""
    """How the types of the host's own tools begin; those are sent as they are."""
    takes: str = ""
    """Parameters of OpenAI's that it takes as well (see ``info.OPTIONAL``)."""
    own: str = ""
    """Parameters of its own, sent under their own names."""
    lacks: Mapping[str, str] = field(default_factory=dict)
    """Tuning knobs that others have and it has not, with the reason: left out with a warning."""
