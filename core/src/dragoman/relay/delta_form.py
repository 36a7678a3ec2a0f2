"""How an upstream writes the deltas of one value: all alike, but for their number, their text and padding.

Once one of them has been parsed, the others are told from everything else by comparing bytes, and can be
passed on as they are. What is written in any other way is no match, and is parsed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import chain
from typing import Any

from pydantic_core import from_json

__all__ = ["DeltaForm"]

_VARYING = re.compile(
    rb'"sequence_number":\s*(?P<number>\d+)'
    rb'|"delta":\s*"(?P<delta>(?:[^"\\]|\\.)*)"'
    rb'|"obfuscation":\s*"(?P<padding>\w*)"'
)  # once a value, not once an event
_PATTERNS = {
    "number": rb"(\d++)",
    "delta": rb'([^"\\]*+(?:\\.[^"\\]*+)*+)',
    "padding": rb"([0-9A-Za-z]++)",
}
_FORMATS = {"number": b"%d", "delta": b"%b", "padding": b"%b"}


class DeltaForm:
    """The deltas of one value, as one of them was written."""

    __slots__ = ("_begin", "_blocks", "_delta_at", "_fields", "_number_at", "_template", "type")

    def __init__(self, type_: str, begin: bytes, fields: list[tuple[str, bytes]]) -> None:
        self.type = type_
        self._begin = begin
        self._fields = fields  # the name of each that varies, and what stands behind it
        self._blocks: re.Pattern[bytes] | None = None
        self._template = b""
        names = [name for name, _ in fields]
        self._number_at, self._delta_at = names.index("number"), names.index("delta")

    @classmethod
    def of(cls, event: dict[str, Any], payload: bytes) -> DeltaForm | None:
        """Return the form of a delta; None where it has none that bytes could tell.

        Args:
            event: the delta.
            payload: its JSON.
        """
        found = {str(match.lastgroup): match for match in _VARYING.finditer(payload)}
        several = len(found) < len(_VARYING.findall(payload))  # one of these names stands further inside, too
        if several or "number" not in found or "delta" not in found or b"\n" in payload or b"\r" in payload:
            return None
        spans = [match.span(name) for name, match in found.items()]
        following = [*(start for start, _ in spans[1:]), len(payload)]
        behind = [payload[end:start] for (_, end), start in zip(spans, following, strict=True)]
        return cls(event["type"], payload[: spans[0][0]], list(zip(found, behind, strict=True)))

    def text(self, payload: bytes, number: int) -> str | None:
        """Return the text of an event that has this form and this number; None of every other."""
        if not payload.startswith(self._begin):
            return None
        place, text = len(self._begin), None
        for name, behind in self._fields:
            if name == "number":
                expected = b"%d%b" % (number, behind)
                if not payload.startswith(expected, place):
                    return None
                place += len(expected)
                continue
            end = payload.find(behind, place)
            if end < 0:
                return None
            if name == "delta":
                try:
                    text = from_json(payload[place - 1 : end + 1])  # fails unless all of it is one string
                except ValueError:
                    return None
            elif not payload[place:end].isalnum():
                return None
            place = end + len(behind)
        return text if place == len(payload) else None

    def run(self, data: bytes, number: int) -> tuple[int, list[str]]:
        """Take the events at the beginning of a stream's bytes that have this form, and are numbered on.

        They have to be written as OpenAI does, an `event` line above a `data` line. Those that this does not
        find may still have this form (see ``text``).

        Args:
            data: from the beginning of an event on.
            number: of the first.

        Returns:
            How many bytes they are, and their texts.
        """
        if self._blocks is None:
            self._blocks, self._template = self._compiled()
        rows = self._blocks.findall(data)
        if rows and rows[-1][-1]:
            rows.pop()  # the rest of the bytes
        while rows:
            columns = list(zip(*rows, strict=True))[:-1]
            columns[self._number_at] = tuple(range(number, number + len(rows)))
            # What varies was found by where it stands; that the bytes have the form, comparing them shows.
            written = self._template * len(rows) % tuple(chain.from_iterable(zip(*columns, strict=True)))
            if data.startswith(written):
                try:
                    return len(written), from_json(b'["%b"]' % b'","'.join(columns[self._delta_at]))
                except ValueError:
                    break
            rows = rows[: len(rows) // 2]  # others stand among them
        return 0, []

    def _compiled(self) -> tuple[re.Pattern[bytes], bytes]:
        """Return what finds blocks that may have this form, by lengths alone, and how those are written."""
        event_line = b"event: %b\n" % self.type.encode()
        begin = b"data: " + self._begin
        *fields, (last, end) = self._fields
        end += b"\n\n"
        pattern, template = re.escape(event_line) + _any(begin), event_line + _literal(begin)
        for name, behind in fields:
            pattern += _PATTERNS[name] + _any(behind)
            template += _FORMATS[name] + _literal(behind)
        pattern += _PATTERNS[last] + re.escape(end)
        template += _FORMATS[last] + _literal(end)
        # The rest of the bytes, so that no block is found behind something else.
        return _pattern(pattern + rb"|(?s:(.+))"), template


def _any(literal: bytes) -> bytes:
    """Return the pattern of as many bytes: to match them one by one would take most of the time."""
    return b"(?s:.{%d})" % len(literal)


def _literal(text: bytes) -> bytes:
    return text.replace(b"%", b"%%")


_pattern = lru_cache(maxsize=64)(re.compile)
