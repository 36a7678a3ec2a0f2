"""One record for each call: who asked whom, what came of it, how long it took, what it cost.

Whatever the provider, streamed or not, rescued or cut, there is exactly one, with the same fields. Who hears
it is the matter of ``dragoman.records.listeners``.
"""

from __future__ import annotations

import time
from array import array
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from dragoman.memory.chains import conversation_id
from dragoman.records.listeners import begin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dragoman.costs import Cost
    from dragoman.routing import Journey
    from dragoman.turns.errands import Errand
    from dragoman.turns.turn import Turn

__all__ = [
    "Mode",
    "Operation",
    "Outcome",
    "Record",
    "Stopwatch",
    "metadata_tags",
    "model_of",
    "outcome_of",
    "record_of",
    "tags_of",
    "user_of",
]

Operation = Literal["responses", "input_tokens", "compact"]
Mode = Literal["whole", "stream", "background", "websocket"]
Outcome = Literal["completed", "incomplete", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One call, when it is over. No field holds a credential; prompts and answers are not in ``as_json``."""

    id: str
    """The response's id; where no upstream accepted, the one that it would have had."""
    operation: Operation = "responses"
    """What was asked for: "responses", "input_tokens" (nothing is paid for a count) or "compact"."""
    mode: Mode
    started_at: float
    """Seconds since 1970."""
    duration: float
    """Seconds, from the call to its end; waiting for a slow reader is in it."""
    first_event: float | None = None
    """Seconds until the first event with content; None where there was none."""
    asked: str
    """The model as the caller named it."""
    provider: str
    """Of the last attempt."""
    model: str
    """The upstream's model that answered, else the one that was asked last."""
    address: str | None = None
    """Whom the last attempt called: `host:port`, never path, query or credentials; None: nobody."""
    deployment: str | None = None
    outcome: Outcome
    error: Mapping[str, Any] | None = None
    """Of a call that did not complete: `status`, `code`, `type`, `message`."""
    partial: bool = False
    """Whether it failed after content had come."""
    usage: Mapping[str, Any] | None = None
    """The answer's own, with summaries on the way to it; what failed attempts took stands with them."""
    cost: Cost | None = None
    """Of that usage; None where no price is known."""
    attempts: Sequence[Mapping[str, Any]] = ()
    """As ``response.dragoman.attempts`` shows them."""
    warnings: Sequence[Mapping[str, Any]] = ()
    """What the caller was told was left out, and what is not known of the cost."""
    owner: str = ""
    """Whose key it was, on a server."""
    user: str | None = None
    """The end user: `safety_identifier`, else `user`."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Sequence[str] = ()
    """The call's `tags`, and those that its `metadata` names under "tags", with commas between them."""
    conversation: str | None = None
    previous_response_id: str | None = None
    service_tier: str | None = None
    chunks: Sequence[float] = field(default=(), repr=False)
    """When each piece of a stream's content came, in seconds since the call began; not in ``as_json``."""
    request: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What was asked; do not change it."""
    response: Mapping[str, Any] | None = field(default=None, repr=False)
    """The Response, with what had arrived; do not change it."""

    def as_json(self) -> dict[str, Any]:
        """Return all fields but prompts and answers, as JSON: durations in seconds, money as strings."""
        told = {name: getattr(self, name) for name in _TOLD}
        told["cost"] = None if self.cost is None else self.cost.as_json()
        return told


class Stopwatch:
    """When a call began, and when its content came."""

    __slots__ = ("_began", "_took", "chunks", "contexts", "first", "started_at")

    def __init__(self, *, chunks: bool = False) -> None:
        """Begin.

        Args:
            chunks: whether the time of every piece of content is wanted.
        """
        self.started_at = time.time()
        self._began = time.monotonic()
        self._took: float | None = None
        self.first: float | None = None
        self.chunks: array[float] | None = array("d") if chunks else None
        """Of each piece of content, by ``time.monotonic``; None: nobody wants to know."""
        self.contexts = begin()
        """What listeners have noted of the moment, see ``on_record``."""

    @property
    def seconds(self) -> float:
        """How long it is since the call began."""
        return time.monotonic() - self._began

    def stop(self) -> float:
        """Return how long the call took; the first to ask ends it."""
        if self._took is None:
            self._took = self.seconds
        return self._took

    def first_event(self) -> None:
        """Note that content has come."""
        if self.first is None:
            self.first = self.seconds

    def came(self, pieces: int) -> None:
        """Note that so many pieces of content have come at once; only where `chunks` is not None."""
        self.chunks.extend([time.monotonic()] * pieces)  # type: ignore[union-attr]

    def chunk_times(self) -> Sequence[float]:
        """Return when each piece of content came, in seconds since the call began."""
        began = self._began
        return array("d", [at - began for at in self.chunks or ()])


def record_of(turn: Turn | Errand, outcome: Outcome | None = None) -> Record:
    """Return the record of a call that is over; `outcome`: where its response does not say it."""
    journey, request, response, error = turn.journey, turn.request, turn.response, turn.error
    added = response["dragoman"] if response is not None else {}
    target = journey.call.target
    attempts = added.get("attempts") or [report.as_json() for report in journey.attempts]
    return Record(
        id=response["id"] if response is not None else turn.response_id,
        operation=turn.operation,
        mode=turn.mode,
        started_at=turn.watch.started_at,
        duration=turn.watch.stop(),
        first_event=turn.watch.first,
        asked=journey.asked,
        provider=target.provider,
        model=model_of(turn),
        address=_address(turn.url),
        deployment=attempts[-1].get("deployment") if attempts else None,
        outcome=outcome_of(turn, outcome),
        error=None if error is None else {"status": error.status_code, **error.to_dict()["error"]},
        partial=error is not None and bool((response or {}).get("output")),
        usage=turn.usage,
        cost=turn.bill.cost,
        attempts=attempts,
        warnings=[
            *added.get("warnings", ()),
            *({"message": message, "param": None} for message in turn.bill.warnings),
        ],
        owner=turn.owner,
        user=user_of(request),
        metadata=request.get("metadata") or {},
        tags=tags_of(journey, request),
        conversation=conversation_id(request),
        previous_response_id=request.get("previous_response_id"),
        service_tier=(response or {}).get("service_tier"),
        chunks=turn.watch.chunk_times(),
        request=request,
        response=response,
    )


def outcome_of(turn: Turn | Errand, outcome: Outcome | None = None) -> Outcome:
    """Return how a turn ended; `outcome`: where its response does not say it."""
    return outcome or _OUTCOMES[turn.response["status"] if turn.response is not None else "failed"]


def model_of(turn: Turn | Errand) -> str:
    """Return the upstream's model that answered, else the one that was asked last."""
    model: str = (turn.response or {}).get("model") or turn.journey.call.target.model
    return model


def user_of(request: Mapping[str, Any]) -> str | None:
    """Return the end user whom a request, or a response, names."""
    return request.get("safety_identifier") or request.get("user")


def tags_of(journey: Journey, request: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the tags of a call: those that it gave as such, and those in its metadata."""
    told = metadata_tags(request)
    return tuple(sorted({*journey.tags, *told})) if told else journey.tags


def metadata_tags(request: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the tags that the metadata of a request, or a response, names."""
    told = (request.get("metadata") or {}).get("tags")
    if not isinstance(told, str):
        return ()
    return tuple(sorted({tag.strip() for tag in told.split(",")} - {""}))


def _address(url: str | None) -> str | None:
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None  # what is no address was never called
    host = parts.hostname or ""
    named = f"[{host}]" if ":" in host else host
    return f"{named}:{port}" if host and port else host or None


_PORTS = {"https": 443, "http": 80}
_OUTCOMES: Mapping[str, Outcome] = {
    "completed": "completed",
    "incomplete": "incomplete",
    "cancelled": "cancelled",
    "failed": "failed",
}
_KEPT_BACK = frozenset({"chunks", "request", "response", "cost"})
_TOLD = tuple(one.name for one in fields(Record) if one.name not in _KEPT_BACK)
