"""Server-sent events, as the WHATWG HTML standard interprets them (section 9.2.6), with three concessions.

1. Google reports a failure in mid-stream as bare JSON over many lines, without `data:`. The standard ignores
   such lines; here they are the payload of an event.
2. An event that lacks its blank line at the end of the bytes comes out; the standard discards it. Whether it
   is whole, its payload tells: cut JSON does not parse.
3. A byte order mark is skipped before any event, not only before the first.

`id:` and `retry:` serve the reconnection of browsers and are ignored.
"""

from collections.abc import Callable, Iterator

from dragoman.decoding import IncrementalDecoder, RawEvent

__all__ = ["SSEDecoder"]

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class SSEDecoder(IncrementalDecoder):
    """Decodes `text/event-stream`. The only fault it knows is an event of more than `max_event_bytes`."""

    __slots__ = ("_after_carriage_return", "_event_line", "_event_name")

    def __init__(self, max_event_bytes: int = 64 * 1024 * 1024) -> None:
        """Starts at the first byte of a body."""
        super().__init__(max_event_bytes)
        self._after_carriage_return = False
        self._event_line, self._event_name = b"event: ", ""  # as the last event had them

    def pass_over(self, chunk: bytes, take: Callable[[bytes], int]) -> bytes:
        """Let somebody take events unread; return what of a chunk is left to feed.

        Args:
            chunk: what comes next.
            take: gets bytes from the beginning of an event on, and says how many it took: whole events.
        """
        if self._after_carriage_return or self._failure is not None or b"\n\n" not in chunk:
            return chunk
        data = bytes(self._pending) + chunk
        taken = take(data)
        if not taken:
            return chunk
        self._pending.clear()
        self._fed += len(chunk) - (len(data) - taken)
        return data[taken:]

    def _decode(self, chunk: bytes, events: list[RawEvent]) -> None:
        if self._after_carriage_return or b"\r" in chunk:
            chunk = self._with_line_feeds(chunk)
        pending = self._pending
        if pending:
            # Only what is new gets searched: a long event in short chunks must not cost its length squared.
            unsearched = len(pending) - 1
            pending += chunk
            chunk = bytes(pending) if pending.find(b"\n\n", unsearched) >= 0 else b""
        if chunk:
            blocks = chunk.split(b"\n\n")
            append, new_event = events.append, tuple.__new__  # half of what calling RawEvent takes
            pending[:] = blocks.pop()
            for block in blocks:
                if len(block) > self._limit:
                    raise self._beyond_limit(self._fed)
                # Nearly every event is one `data: ` line, alone or below the same `event: ` line as before.
                above, _, data = block.partition(b"\ndata: ")
                if data and above == self._event_line and b"\n" not in data:
                    append(new_event(RawEvent, (self._event_name, data, False)))
                elif block[:6] == b"data: " and b"\n" not in block:
                    append(RawEvent("", block[6:]))
                else:
                    events.extend(_read(block.split(b"\n")))
                    if above[:7] == b"event: " and b"\n" not in above:
                        self._event_line, self._event_name = above, above[7:].decode(errors="replace")
        # A last line feed may belong to the blank line behind the event, so it does not count yet.
        if len(pending) > self._limit + pending.endswith(b"\n"):
            raise self._beyond_limit(self._fed)

    def _finish(self, rest: bytes) -> list[RawEvent]:
        # `data:` and then the end is the beginning of an event, not an empty one.
        return [event for event in _read(rest.removesuffix(b"\n").split(b"\n")) if event.data]

    def _with_line_feeds(self, chunk: bytes) -> bytes:
        """Turns CRLF and lone CR into LF.

        A CR ends its line at once, lest an event wait for the next chunk; an LF that follows belongs to it.
        """
        if self._after_carriage_return and chunk:
            self._after_carriage_return = False
            chunk = chunk.removeprefix(b"\n")
        if chunk:
            self._after_carriage_return = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _read(lines: list[bytes]) -> Iterator[RawEvent]:
    """Reads the lines of a block: by the standard, but for bare JSON and the byte order mark."""
    name = b""
    data: list[bytes] = []
    lines[0] = lines[0].removeprefix(BYTE_ORDER_MARK)
    for number, line in enumerate(lines):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
        elif line.startswith((b"{", b"[")):
            # No field begins like this: bare JSON, to the end of the block. Data above it is another event.
            if data:
                yield RawEvent(name.decode(errors="replace"), b"\n".join(data))
                name = b""
            data = lines[number:]
            break
    if data:
        yield RawEvent(name.decode(errors="replace"), b"\n".join(data))
