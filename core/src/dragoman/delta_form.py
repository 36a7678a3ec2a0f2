"""How an upstream writes the deltas of one value: all alike, but for their number, their text and padding.

Once one of them has been parsed, the others are told from everything else by comparing bytes, and can be
passed on as they are. What is written in any other way is no match, and is parsed.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import from_json

__all__ = ["DeltaForm"]

_VARYING = re.compile(
    rb'"sequence_number":\s*(?P<number>\d+)'
    rb'|"delta":\s*"(?P<delta>(?:[^"\\]|\\.)*)"'
    rb'|"obfuscation":\s*"(?P<padding>\w*)"'
)  # once a value, not once an event


class DeltaForm:
    """The deltas of one value, as one of them was written."""

    __slots__ = ("_begin", "_fields", "type")

    def __init__(self, type_: str, begin: bytes, fields: list[tuple[str, bytes]]) -> None:
        self.type = type_
        self._begin = begin
        self._fields = fields  # the name of each that varies, and what stands behind it

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
