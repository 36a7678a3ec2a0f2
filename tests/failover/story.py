"""The sixty words that every healthy answer has, and what a provider's wire is made of to tell them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from dragoman.decoding import RawEvent
from dragoman.testing.frames import join_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["HEALTHY", "OTHER_STORY", "STORY", "TOKENS", "Refusal", "Wire", "usage_of"]

STORY = (
    "A lighthouse keeper once counted every ship that passed his rock and wrote their names in a book. "
    "When fog came he rang the bell until his arms gave out, and then his daughter rang it. No ship was lost "
    "in forty years. The book is still there, and on its last page somebody has written thanks in seven "
    "hands."
)
TOKENS = tuple(f"{' ' if place else ''}{word}" for place, word in enumerate(STORY.split(" ")))
OTHER_STORY = "Nobody ever counted ships in this one, and nothing else happens in it either."
HEALTHY = "fb-healthy"


class Refusal(NamedTuple):
    """How a wire says no."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str] = {}
    event: str = ""
    """Where the refusal is an answer with status 200: the name of its only event."""


def usage_of(model: str) -> tuple[int, int]:
    """Return the tokens that an answer of this model says it took: input and output."""
    return (13 if model == HEALTHY else 11), len(TOKENS)


@dataclass(frozen=True, kw_only=True, eq=False)
class Wire:
    """One provider's API, as far as it is needed to tell the story or to refuse it."""

    provider: str
    base: str
    """What its callers have in their `api_base` behind the address of the server."""
    stream_type: str
    opening: int
    """How many events precede the first token."""
    end: bytes
    """What follows the last event."""
    whole: Callable[[str, Sequence[str]], dict[str, Any]]
    events: Callable[[str, Sequence[str]], list[tuple[str, dict[str, Any]]]]
    refusals: dict[str, Refusal]
    last_turn: Callable[[dict[str, Any]], tuple[str, str]]
    """Role and text of the last turn of a request."""

    def encode(self, name: str, data: bytes) -> bytes:
        """Return one event as it goes over the wire."""
        return join_frames([RawEvent(name, data)], self.stream_type)

    def frames(self, model: str, tokens: Sequence[str]) -> tuple[bytes, ...]:
        """Return the events of a streamed answer, without the end."""
        return _frames(self, model, tuple(tokens))

    def broken(self, model: str, tokens: Sequence[str], place: int) -> list[bytes]:
        """Return them with one whose JSON ends in the middle."""
        frames = list(self.frames(model, tokens))
        name, payload = self.events(model, tokens)[place]
        data = _json(payload)
        frames[place] = self.encode(name, data[: len(data) // 2])
        return frames

    def refusal(self, kind: str, retry_after: float | None) -> Refusal:
        """Return how it refuses; with the seconds after which it may be asked again."""
        refusal = self.refusals[kind]
        if retry_after is None:
            return refusal
        if self.provider == "gemini":
            info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{retry_after:g}s"}
            return refusal._replace(body={"error": {**refusal.body["error"], "details": [info]}})
        if retry_after == int(retry_after):
            header = {"retry-after": f"{retry_after:.0f}"}
        else:
            header = {"retry-after-ms": f"{retry_after * 1000:.0f}"}
        return refusal._replace(headers={**refusal.headers, **header})


@cache
def _frames(wire: Wire, model: str, tokens: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(wire.encode(name, _json(payload)) for name, payload in wire.events(model, tokens))


def _json(payload: object) -> bytes:
    return json.dumps(payload, ensure_ascii=False).encode()
