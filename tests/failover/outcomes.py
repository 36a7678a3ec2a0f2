"""What a caller got of one call, and what can be said of it without knowing the fault."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.failover.story import STORY

from dragoman.testing.legality import check_events

__all__ = ["Failure", "Outcome"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error as a caller sees it: an exception of the SDK's, an HTTP status with a body, an event."""

    status: int
    code: str | None
    message: str


@dataclass(slots=True, kw_only=True)
class Outcome:
    """One call, from outside."""

    streamed: bool
    events: list[dict[str, Any]] = field(default_factory=list)
    response: dict[str, Any] | None = None
    """The final one, as told last."""
    failure: Failure | None = None
    crash: str | None = None
    """What came instead of an answer or an error: another exception, a body that nobody can read."""
    began: float = 0.0
    seconds: float = 0.0
    hung: bool = False

    @property
    def text(self) -> str:
        """The text of the final response."""
        return "".join(
            part.get("text", "")
            for item in (self.response or {}).get("output", ())
            if item.get("type") == "message"
            for part in item["content"]
        )

    @property
    def completed(self) -> bool:
        """Whether the caller was told that this is the whole answer."""
        return self.failure is None and (self.response or {}).get("status") == "completed"

    @property
    def answered(self) -> bool:
        """Whether it is."""
        return self.completed and self.text == STORY and not self.wrong

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """What the response tells of the attempts."""
        attempts: list[dict[str, Any]] = ((self.response or {}).get("dragoman") or {}).get("attempts") or []
        return attempts

    @property
    def filtered(self) -> bool:
        """Whether the caller was told that a content policy forbids it."""
        if self.failure is not None:
            return self.failure.code in {"content_policy_violation", "content_filter"}
        details = (self.response or {}).get("incomplete_details") or {}
        return details.get("reason") == "content_filter"

    @property
    def wrong(self) -> str | None:
        """What no caller may ever get, whatever happens upstream; None where all is well."""
        if self.hung:
            return "hangs"
        if self.crash is not None:
            return f"is no clean error: {self.crash}"
        if self.completed and self.text != STORY:
            shorter = STORY.startswith(self.text)
            return f"{'truncated' if shorter else 'garbled'} and sold as complete: {self.text!r}"
        if not STORY.startswith(self.text):
            return f"text that no upstream said: {self.text!r}"
        if self.failure is None and not self.completed and not self.filtered:
            return f"neither an answer nor an error: {(self.response or {}).get('status')}"
        if self.events:
            try:
                check_events(self.events)
            except AssertionError as problem:
                return f"an illegal stream: {problem}"
            if self.streamed_text != self.text:
                return f"deltas {self.streamed_text!r} that are not the text"
        return None

    @property
    def streamed_text(self) -> str:
        """The sum of the deltas."""
        deltas = (event for event in self.events if event["type"] == "response.output_text.delta")
        return "".join(event["delta"] for event in deltas)
