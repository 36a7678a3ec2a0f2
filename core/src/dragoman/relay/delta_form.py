"""How an upstream writes the deltas of one value: all alike, but for their number, their text and padding.

Once one of them has been parsed, the others are told from everything else by comparing bytes, and can be
passed on as they are. What is written in any other way is no match, and is parsed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from pydantic_core import from_json

__all__ = ["DeltaForm"]

_VARYING = re.compile(
    rb'"sequence_number":\s*(?P<number>\d+)'
    rb'|"delta":\s*"(?P<delta>(?:[^"\\]|\\.)*)"'
    rb'|"obfuscation":\s*"(?P<padding>\w*)"'
)  # once a value, not once an event
_ITEM = re.compile(rb'"item_id":\s*"(?P<item>[^"\\]*)"')
_PATTERNS = {
    "number": rb"(?P<number>0|[1-9]\d*)",
    "delta": rb'(?P<delta>[^"\\]*(?:\\.[^"\\]*)*)',
    "padding": rb"[0-9A-Za-z]+",
    "item": rb'(?P<item>[^"\\]*)',
}


class DeltaForm:
    """The deltas of one value, as one of them was written."""

    __slots__ = ("_begin", "_blocks", "_fields", "_item", "type")

    def __init__(self, type_: str, begin: bytes, fields: list[tuple[str, bytes]]) -> None:
        self.type = type_
        self._begin = begin
        self._fields = fields  # the name of each that varies, and what stands behind it
        self._blocks: re.Pattern[bytes] | None = None
        self._item = b""

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

    def run(self, data: bytes, number: int) -> tuple[list[bytes], list[str]]:
        """Return the events at the beginning of a stream's bytes that have this form, and are numbered on.

        They have to be written as OpenAI does, an `event` line above a `data` line. Those that this does not
        find may still have this form (see ``text``).

        Args:
            data: from the beginning of an event on.
            number: of the first.

        Returns:
            Their payloads, and the texts of these.
        """
        if self._blocks is None:
            self._blocks, self._item = self._compiled()
        places = self._blocks.groupindex
        number_at, delta_at, item_at = (places[name] - 1 for name in ("number", "delta", "item"))
        payloads, texts = [], []
        for block in self._blocks.findall(data):
            if block[number_at] != b"%d" % number or block[item_at] != self._item:
                break
            payloads.append(block[0])
            texts.append(block[delta_at])
            number += 1
        try:
            return payloads, from_json(b'["%b"]' % b'","'.join(texts)) if texts else []
        except ValueError:
            return [], []

    def _compiled(self) -> tuple[re.Pattern[bytes], bytes]:
        """Return the pattern of a block, the same for all items, and the id of this one."""
        item = b""
        pattern = b"event: %b\ndata: (" % re.escape(self.type.encode())
        for name, literal in [("", self._begin), *self._fields]:
            pattern += _PATTERNS.get(name, b"")
            match = _ITEM.search(literal) if not item else None
            if match is not None:
                item = match["item"]
                start, end = match.span("item")
                pattern += re.escape(literal[:start]) + _PATTERNS["item"] + re.escape(literal[end:])
            else:
                pattern += re.escape(literal)
        # The rest of the bytes, so that no block is found behind something else.
        return _pattern(pattern + b")\n\n" + (b"" if item else b"(?P<item>)") + rb"|[\s\S]+"), item


_pattern = lru_cache(maxsize=64)(re.compile)
