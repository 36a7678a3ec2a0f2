"""The binary event stream of AWS (`application/vnd.amazon.eventstream`).

A frame, all numbers big-endian:

    total length    4 bytes, of the whole frame
    headers length  4 bytes
    prelude CRC     4 bytes, CRC-32 of the 8 bytes above
    headers         each: length of the name (1 byte), name, type of the value (1 byte), value
    payload
    message CRC     4 bytes, CRC-32 of everything above

Source: "Event stream encoding" in the developer guide of Amazon Transcribe, and the Smithy specification
"Amazon Event Stream", which names the headers `:message-type`, `:event-type` and so on.
"""

import json
from struct import Struct
from zlib import crc32

from dragoman.decoding import IncrementalDecoder, RawEvent, StreamDecodeError

__all__ = ["AWSEventStreamDecoder"]

PRELUDE = Struct(">III")
CHECKSUM = Struct(">I")
FRAME_OVERHEAD = PRELUDE.size + CHECKSUM.size

# Bytes of a header's value by its type: true, false, byte, short, integer, long, timestamp, uuid. The other
# two, byte array and string, say their length themselves.
FIXED_VALUE_BYTES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
BYTE_ARRAY, STRING = 6, 7


class AWSEventStreamDecoder(IncrementalDecoder):
    """Decodes frames, checking both checksums and every length.

    Its faults: a wrong checksum, an impossible length, headers that don't fit, a frame of more than
    `max_event_bytes` (by default 16 MiB, the wire's own limit), an end of bytes inside a frame.
    """

    __slots__ = ()

    def __init__(self, max_event_bytes: int = 16 * 1024 * 1024) -> None:
        """Starts at the first byte of a body."""
        super().__init__(max_event_bytes)

    def _decode(self, chunk: bytes, events: list[RawEvent]) -> None:
        pending = self._pending
        pending += chunk
        position = self._fed - len(pending)
        begin = 0
        while len(pending) - begin >= PRELUDE.size:
            total, headers_length, prelude_checksum = PRELUDE.unpack_from(pending, begin)
            offset = position + begin
            if crc32(pending[begin : begin + 8]) != prelude_checksum:
                raise StreamDecodeError("the prelude of an AWS event stream frame fails its checksum", offset)
            if total < FRAME_OVERHEAD + headers_length:
                raise StreamDecodeError(
                    f"an AWS event stream frame of {total} bytes cannot hold headers of {headers_length}",
                    offset,
                )
            if total > self._limit:
                raise self._beyond_limit(offset)
            end = begin + total
            if len(pending) < end:
                break
            events.append(_read_frame(bytes(pending[begin:end]), headers_length, offset))
            begin = end
        del pending[:begin]

    def _finish(self, rest: bytes) -> list[RawEvent]:
        if rest:
            raise StreamDecodeError(
                f"the stream ends inside an AWS event stream frame, {len(rest)} bytes after its beginning",
                self._fed,
            )
        return []


def _read_frame(frame: bytes, headers_length: int, offset: int) -> RawEvent:
    """Returns the event of a whole frame that begins at `offset` and whose prelude is checked."""
    payload_end = len(frame) - CHECKSUM.size
    if crc32(frame[:payload_end]) != CHECKSUM.unpack_from(frame, payload_end)[0]:
        raise StreamDecodeError("an AWS event stream frame fails its checksum", offset)
    payload_begin = PRELUDE.size + headers_length
    try:
        headers = _read_headers(frame[PRELUDE.size : payload_begin])
    except (ValueError, IndexError) as error:
        raise StreamDecodeError("the headers of an AWS event stream frame are malformed", offset) from error
    payload = frame[payload_begin:payload_end]
    match headers.get(":message-type"):
        case "exception":
            return RawEvent(headers.get(":exception-type", ""), payload, is_exception=True)
        case "error":
            # The wire tells an error in headers alone; whoever reads payloads shall find its message in one.
            message = json.dumps({"message": headers.get(":error-message", "")}).encode()
            return RawEvent(headers.get(":error-code", ""), payload or message, is_exception=True)
        case _:
            return RawEvent(headers.get(":event-type", ""), payload)


def _read_headers(block: bytes) -> dict[str, str]:
    """Returns the headers whose value is a string: the only ones that say what a frame is.

    Raises:
        ValueError: a name or value runs past the end, is no UTF-8, or is of no known type.
        IndexError: the block ends before a length or a type.
    """
    headers: dict[str, str] = {}
    position = 0
    while position < len(block):
        name_end = position + 1 + block[position]
        name = block[position + 1 : name_end]
        value_type = block[name_end]
        position = name_end + 1
        if value_type in (BYTE_ARRAY, STRING):
            length = block[position] << 8 | block[position + 1]
            position += 2
        elif value_type in FIXED_VALUE_BYTES:
            length = FIXED_VALUE_BYTES[value_type]
        else:
            raise ValueError(f"{value_type} is no type of a header's value")
        if position + length > len(block):
            raise ValueError("a header's value runs past the end of the headers")
        if value_type == STRING:
            headers[name.decode()] = block[position : position + length].decode()
        position += length
    return headers
