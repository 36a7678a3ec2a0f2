"""What the author of a plugin declares: bytes of the upstream, and what must come out of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dragoman.errors import APIError

__all__ = ["ErrorCase", "Exchange"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One answer of the upstream, whole and streamed, and what a caller must get out of both.

    What is left out must not come out: an exchange without `calls` has none.
    """

    body: bytes
    """The answer to a request that asked for no stream."""
    stream: bytes
    """The same answer, streamed: with the same ids of calls, the same usage."""
    text: str = ""
    """All text of the answer."""
    calls: Sequence[tuple[str, Mapping[str, Any] | str]] = ()
    """The calls in order: name and arguments (parsed JSON), or a custom tool's input (a string)."""
    reasoning: str = ""
    """All readable reasoning, summarised or raw."""
    usage: tuple[int, int] | None = None
    """Input and output tokens; None where the upstream reports none."""
    status: str = "completed"
    """`completed` or `incomplete`."""
    request: Mapping[str, Any] = field(default_factory=dict)
    """What the caller asks for to get this answer, beside the input. The functions of `calls` are offered
    without being named here, unless `tools` are."""
    body_type: str = "application/json"
    stream_type: str = "text/event-stream"
    """The content types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCase:
    """One refusal of the upstream, and the exception that it must become."""

    raises: type[APIError]
    """The exception's class, exactly."""
    status: int = 400
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: bytes = b""
    """The same error told inside a stream that had been accepted, where the upstream does that: the stream's
    bytes up to and with the error."""
    message: str = ""
    """Words that the exception's message must have."""
    code: str | None = None
    param: str | None = None
    """The exception's attributes of these names, checked where given."""
    retry_after: float | None = None
    """Likewise, but of the refusal alone: a stream has no headers to tell it."""
