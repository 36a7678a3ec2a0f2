"""Incremental decoders: bytes of a streamed response in, events out, no I/O.

A decoder is fed the chunks of one response body as they come and returns the events they complete. For any
split of the bytes the events are the same, so are the events that precede a failure. Payloads stay bytes:
whoever consumes them parses them.

- `dragoman.decoding.sse`: server-sent events (most providers)
- `dragoman.decoding.ndjson`: one JSON document a line
- `dragoman.decoding.aws`: binary event stream of Amazon
"""

from abc import ABC, abstractmethod
from typing import NamedTuple, Protocol

__all__ = ["Decoder", "IncrementalDecoder", "RawEvent", "StreamDecodeError", "decoder_for"]


class RawEvent(NamedTuple):
    """One event of a stream, its payload untouched.

    Attributes:
        type: SSE: the `event:` field. AWS: `:event-type`, `:exception-type` or `:error-code`. Empty where
            the wire gives none.
        data: the payload. SSE: the `data:` lines joined by LF, `[DONE]` like any other; NDJSON: the line;
            AWS: the payload of the frame.
        is_exception: True where the framing itself says that the stream has failed (AWS `:message-type`
            `exception` or `error`). Failures told inside a payload are for its reader to find.
    """

    type: str
    data: bytes
    is_exception: bool = False


class StreamDecodeError(ValueError):
    """The bytes are not what their content type promised, or an event is beyond the limit of size.

    Attributes:
        problem: what is wrong.
        offset: where, in bytes from the beginning of the body. AWS: where the bad frame begins. Else, and for
            a body that ends too early: how many bytes had been read.
    """

    def __init__(self, problem: str, offset: int) -> None:
        """Keeps both as arguments, so that the error can be copied and pickled."""
        super().__init__(problem, offset)
        self.problem = problem
        self.offset = offset

    def __str__(self) -> str:
        """Says what is wrong, and where."""
        return f"{self.problem} (at byte {self.offset} of the stream)"


class Decoder(Protocol):
    """Turns the bytes of one response body into events. Serves one body, then is thrown away."""

    def feed(self, chunk: bytes) -> list[RawEvent]:
        """Takes the next bytes and returns the events they complete, in order.

        Raises:
            StreamDecodeError: once every event before the fault has been returned, and again on later calls.
        """

    def close(self) -> list[RawEvent]:
        """Takes the end of the bytes and returns what only waited for it. Call it once, after the last chunk.

        Raises:
            StreamDecodeError: the bytes end inside a frame, or a fault is still to be told.
        """


class IncrementalDecoder(ABC):
    """What the decoders share: unread bytes, the position in the stream, and faults told at the right time.

    A fault that follows whole events in one chunk is held back until the next call. Otherwise it would
    swallow them, and what a caller gets to see would hang on how the network cut the bytes.
    """

    __slots__ = ("_failure", "_fed", "_limit", "_pending")

    def __init__(self, max_event_bytes: int) -> None:
        """Starts at the first byte; an event of more than `max_event_bytes` is an error."""
        self._limit = max_event_bytes
        self._pending = bytearray()
        self._fed = 0
        self._failure: StreamDecodeError | None = None

    def feed(self, chunk: bytes) -> list[RawEvent]:
        """See `Decoder.feed`."""
        if self._failure is not None:
            raise self._failure
        self._fed += len(chunk)
        events: list[RawEvent] = []
        try:
            self._decode(chunk, events)
        except StreamDecodeError as failure:
            self._failure = failure
            if not events:
                raise
        return events

    def close(self) -> list[RawEvent]:
        """See `Decoder.close`."""
        if self._failure is not None:
            raise self._failure
        events = self._finish(bytes(self._pending))
        self._pending.clear()
        return events

    @abstractmethod
    def _decode(self, chunk: bytes, events: list[RawEvent]) -> None:
        """Appends to `events` what `chunk` completes, and leaves the beginning of the next in `_pending`."""

    @abstractmethod
    def _finish(self, rest: bytes) -> list[RawEvent]:
        """Returns the events in `rest`, the bytes that were pending at the end."""

    def _beyond_limit(self, offset: int) -> StreamDecodeError:
        """Returns the error to raise when an event, or the beginning of one, has more bytes than allowed."""
        return StreamDecodeError(f"an event exceeds the limit of {self._limit} bytes", offset)


def decoder_for(content_type: str) -> Decoder | None:
    """Returns a new decoder for a `Content-Type` header, or None if it names no stream of events."""
    # ruff: noqa: PLC0415 -- nothing loads until it is needed, and the decoders import this module
    match content_type.partition(";")[0].strip().lower():
        case "text/event-stream":
            from dragoman.decoding.sse import SSEDecoder

            return SSEDecoder()
        case "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines":
            from dragoman.decoding.ndjson import NDJSONDecoder

            return NDJSONDecoder()
        case "application/vnd.amazon.eventstream":
            from dragoman.decoding.aws import AWSEventStreamDecoder

            return AWSEventStreamDecoder()
        case _:
            return None
