"""What is told of each attempt at a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.attempts.call import Call

__all__ = ["AttemptReport", "Outcome"]

Outcome = Literal["running", "success", "failed", "timeout", "cancelled", "abandoned"]


@dataclass(slots=True, kw_only=True)
class AttemptReport:
    """One attempt at a call, as far as it has come."""

    model: str
    """``provider/model``"""
    deployment: str
    """The deployment's id."""
    outcome: Outcome = "running"
    """"abandoned": the next attempt began before this one had said how it ended."""
    status: int | None = None
    """The HTTP status of the failure."""
    code: str | None = None
    """The code of the failure, or its class where it has none."""
    duration: float = 0.0
    """Seconds."""
    first_event: float | None = None
    """Seconds until the first event with content."""
    usage: Mapping[str, Any] | None = None
    request_id: str | None = None
    """The upstream's own id of the request."""
    call: Call | None = None
    """What was sent, and to whom; None: nothing was. Not shown, as the following."""
    prices: Mapping[str, Any] | None = None
    """The deployment's own prices, by a config."""

    def as_json(self) -> dict[str, Any]:
        """Return it as ``response.dragoman.attempts`` shows it; what is not known is left out."""
        shown: dict[str, Any] = {
            "model": self.model,
            "deployment": self.deployment,
            "outcome": self.outcome,
            "status": self.status,
            "code": self.code,
            "duration": round(self.duration, 4),
            "first_event": None if self.first_event is None else round(self.first_event, 4),
            "usage": self.usage,
            "request_id": self.request_id,
        }
        return {name: value for name, value in shown.items() if value is not None}
