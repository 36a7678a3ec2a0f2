"""What one chunk of an upstream's bytes comes to: events, and such that nobody had to parse.

Events travel by the chunk that completed them, from the session to whoever tells the caller. What an upstream
of the Responses API wrote as dragoman would is passed on in its own bytes, in runs (``RawEvents``); whoever
wants to look into them parses them, with ``events_of``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from pydantic_core import from_json

from dragoman.types import LIFECYCLE_EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dragoman.types import Event

__all__ = ["Batch", "RawEvents", "count_deltas", "events_of", "has_content"]


class RawEvents:
    """Successive events of one type, each the JSON that the upstream wrote."""

    __slots__ = ("_payloads", "_written", "count", "number", "type")

    def __init__(self, type_: str, number: int, payloads: list[bytes]) -> None:
        self.type = type_
        self.number = number
        """The `sequence_number` of the first."""
        self.count = len(payloads)
        self._payloads = payloads
        self._written = b""

    @classmethod
    def as_written(cls, type_: str, number: int, count: int, written: bytes) -> RawEvents:
        """Return events that came as server-sent events, each an `event` line above a `data` line."""
        events = cls(type_, number, [])
        events.count, events._written = count, written
        return events

    @property
    def last_number(self) -> int:
        """The `sequence_number` of the last."""
        return self.number + self.count - 1

    @property
    def payloads(self) -> list[bytes]:
        """The JSON of each."""
        if self._payloads or not self._written:
            return self._payloads
        begin = self._begin
        return self._written[len(begin) : -2].split(b"\n\n" + begin)

    @property
    def written(self) -> bytes:
        """They as server-sent events."""
        if self._written:
            return self._written
        begin = self._begin
        return begin + (b"\n\n" + begin).join(self._payloads) + b"\n\n"

    @property
    def _begin(self) -> bytes:
        return b"event: %b\ndata: " % self.type.encode()

    def parsed(self) -> Iterator[Event]:
        """Yield them as dicts."""
        return map(from_json, self.payloads)


Batch: TypeAlias = "Sequence[Event | RawEvents]"


def events_of(batch: Batch) -> Iterator[Event]:
    """Yield the events of a batch as dicts."""
    for told in batch:
        if isinstance(told, RawEvents):
            yield from told.parsed()
        else:
            yield told


def has_content(batch: Batch) -> bool:
    """Tell whether any event of a batch is about more than the beginning of the response."""
    return any(isinstance(told, RawEvents) or told["type"] not in LIFECYCLE_EVENTS for told in batch)


def count_deltas(batch: Batch) -> int:
    """Return how many events of a batch carry a piece of content."""
    return sum(
        told.count if isinstance(told, RawEvents) else told["type"].endswith(".delta") for told in batch
    )
