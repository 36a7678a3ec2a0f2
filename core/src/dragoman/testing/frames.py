"""Streams as lists of frames: taken apart, changed and put together again."""

from __future__ import annotations

import json
from struct import Struct
from typing import TYPE_CHECKING, Any
from zlib import crc32

from dragoman.decoding import RawEvent, decoder_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["aws_stream", "join_frames", "split_frames", "sse_stream"]

_SSE = "text/event-stream"
_AWS = "application/vnd.amazon.eventstream"
_PRELUDE = Struct(">II")
_CHECKSUM = Struct(">I")
_STRING = 7


def split_frames(stream: bytes, content_type: str) -> list[RawEvent]:
    """Return the events of a streamed body, payloads untouched."""
    decoder = decoder_for(content_type)
    if decoder is None:
        raise ValueError(f"{content_type!r} is no stream of events")
    return [*decoder.feed(stream), *decoder.close()]


def join_frames(frames: Iterable[RawEvent], content_type: str) -> bytes:
    """Return a streamed body that has these events."""
    kind = content_type.partition(";")[0].strip().lower()
    write = {_SSE: _sse_frame, _AWS: _aws_frame}.get(kind, _line)
    return b"".join(map(write, frames))


def sse_stream(*events: Any, named_by: str | None = None, end: bytes = b"") -> bytes:
    """Return server-sent events, their payloads as JSON.

    Args:
        events: the payloads.
        named_by: the field of a payload that its `event:` line repeats; None: no such lines.
        end: what stands in the last event, such as ``b"[DONE]"``.
    """
    frames = [
        RawEvent(event[named_by] if named_by else "", json.dumps(event, ensure_ascii=False).encode())
        for event in events
    ]
    if end:
        frames.append(RawEvent("", end))
    return join_frames(frames, _SSE)


def aws_stream(*events: tuple[str, Mapping[str, Any]]) -> bytes:
    """Return an AWS event stream of (event type, payload)."""
    frames = (RawEvent(type_, json.dumps(payload).encode()) for type_, payload in events)
    return join_frames(frames, _AWS)


def _sse_frame(frame: RawEvent) -> bytes:
    name = f"event: {frame.type}\n".encode() if frame.type else b""
    return name + b"".join(b"data: " + line + b"\n" for line in frame.data.split(b"\n")) + b"\n"


def _line(frame: RawEvent) -> bytes:
    return frame.data + b"\n"


def _aws_frame(frame: RawEvent) -> bytes:
    kind, name = (
        (":message-type", ":exception-type") if frame.is_exception else (":message-type", ":event-type")
    )
    values = {kind: "exception" if frame.is_exception else "event", name: frame.type}
    headers = b"".join(_aws_header(*header) for header in values.items())
    length = _PRELUDE.size + 2 * _CHECKSUM.size + len(headers) + len(frame.data)
    prelude = _PRELUDE.pack(length, len(headers))
    message = prelude + _CHECKSUM.pack(crc32(prelude)) + headers + frame.data
    return message + _CHECKSUM.pack(crc32(message))


def _aws_header(name: str, value: str) -> bytes:
    encoded = value.encode()
    return bytes([len(name)]) + name.encode() + bytes([_STRING]) + len(encoded).to_bytes(2) + encoded
