"""Newline-delimited JSON: one document a line. Blank lines are skipped, CRLF is as good as LF."""

from dragoman.decoding import IncrementalDecoder, RawEvent

__all__ = ["NDJSONDecoder"]


class NDJSONDecoder(IncrementalDecoder):
    """Decodes `application/x-ndjson`. The only fault it knows is a line of more than `max_event_bytes`.

    The last line may lack its line feed; if it was cut, its JSON does not parse.
    """

    __slots__ = ()

    def __init__(self, max_event_bytes: int = 64 * 1024 * 1024) -> None:
        """Starts at the first byte of a body."""
        super().__init__(max_event_bytes)

    def _decode(self, chunk: bytes, events: list[RawEvent]) -> None:
        pending = self._pending
        pending += chunk
        # Only what is new gets searched: a long line in short chunks must not cost its length squared.
        if b"\n" in chunk:
            *lines, rest = bytes(pending).split(b"\n")
            pending[:] = rest
            for line in lines:
                if len(line) > self._limit:
                    raise self._beyond_limit(self._fed)
                events.extend(_read_line(line))
        if len(pending) > self._limit:
            raise self._beyond_limit(self._fed)

    def _finish(self, rest: bytes) -> list[RawEvent]:
        return _read_line(rest)


def _read_line(line: bytes) -> list[RawEvent]:
    """Returns the event of a line, or nothing if the line is blank."""
    document = line.strip()
    return [RawEvent("", document)] if document else []
